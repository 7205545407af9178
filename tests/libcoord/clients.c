/* clients.c - see clients.h. */
#include "tests/libcoord/clients.h"

#include "tests/support/runner.h"

enum { DEADLINE_MS = 30000 };

coord_client *open_client(const struct cell *c)
{
    coord_client *client = NULL;
    CU_ASSERT_EQUAL_FATAL(coord_client_open(c->endpoints, NULL, &client), COORD_OK);
    return client;
}

coord_session *open_session(coord_client *client)
{
    coord_session *session = NULL;
    CU_ASSERT_EQUAL_FATAL(coord_session_open(client, NULL, &session), COORD_OK);
    return session;
}

coord_node *open_node(coord_session *session, const char *path)
{
    coord_node *node = NULL;
    CU_ASSERT_EQUAL_FATAL(
        coord_open(session, path, COORD_CREATE | COORD_PARENTS, DEADLINE_MS, &node), COORD_OK);
    return node;
}

void close_all(coord_client *client, coord_session *session)
{
    CU_ASSERT_EQUAL(coord_session_close(session, DEADLINE_MS), COORD_OK);
    coord_client_close(client);
}
