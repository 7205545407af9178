/* clients.h - clients of a test's cell, opened and closed in one word: whatever goes wrong
 * there is the end of the test. */
#ifndef COORD_TESTS_LIBCOORD_CLIENTS_H
#define COORD_TESTS_LIBCOORD_CLIENTS_H

#include <coord/coord.h>

#include "tests/libcoord/cell.h"

coord_client *open_client(const struct cell *c);
coord_session *open_session(coord_client *client);
/* Makes it, and those above it, if they are not there. */
coord_node *open_node(coord_session *session, const char *path);
void close_all(coord_client *client, coord_session *session);

#endif
