/* test_cells.c - two cells on one machine, on one port of two loopback addresses: each
 * client stays with its own, also if an address changes hands. */
#define _GNU_SOURCE
#include <coord/coord.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>

#include "tests/libcoord/clients.h"
#include "tests/support/ports.h"
#include "tests/support/runner.h"

enum { DEADLINE_MS = 10000, SHORT_MS = 800, CELLS = 3 };

/* A cell of one member. */
struct one {
    char top[64], directory[80], address[32], id[33];
    pid_t pid;
};

static struct one cells[CELLS];

static bool run(const char *const *arguments)
{
    int status = -1;
    pid_t pid = child_spawn(arguments, -1);
    return pid > 0 && waitpid(pid, &status, 0) == pid && status == 0;
}

static bool one_init(struct one *o, const char *address, const char *id)
{
    char members[48];
    (void)snprintf(o->top, sizeof o->top, "/tmp/coord-test-XXXXXX");
    (void)snprintf(o->address, sizeof o->address, "%s", address);
    (void)snprintf(o->id, sizeof o->id, "%s", id);
    (void)snprintf(members, sizeof members, "1=%s", address);
    if (mkdtemp(o->top) == NULL)
        return false;
    (void)snprintf(o->directory, sizeof o->directory, "%s/1", o->top);
    const char *const arguments[] = {COORDD,   "init", "--dir",     o->directory, "--id", "1",
                                     "--cell", o->id,  "--members", members,      NULL};
    return run(arguments);
}

static void one_start(struct one *o)
{
    const char *const arguments[] = {COORDD, "serve", "--dir", o->directory, NULL};
    o->pid = child_spawn(arguments, -1);
    CU_ASSERT_FATAL(o->pid > 0);
}

static void one_stop(struct one *o)
{
    if (o->pid <= 0)
        return;
    (void)kill(o->pid, SIGKILL);
    (void)waitpid(o->pid, NULL, 0);
    o->pid = 0;
}

static coord_client *dial(const char *endpoints)
{
    coord_client *client = NULL;
    CU_ASSERT_EQUAL_FATAL(coord_client_open(endpoints, NULL, &client), COORD_OK);
    return client;
}

static void write_name(coord_session *s, const char *name)
{
    coord_write_options make = COORD_WRITE_OPTIONS_INIT;
    make.flags = COORD_CREATE;
    CU_ASSERT_EQUAL(coord_set(s, "/name", name, strlen(name), &make, DEADLINE_MS, NULL), COORD_OK);
}

static void expect_name(coord_session *s, const char *name)
{
    void *content = NULL;
    size_t length = 0;
    CU_ASSERT_EQUAL_FATAL(coord_get(s, "/name", DEADLINE_MS, &content, &length, NULL), COORD_OK);
    CU_ASSERT_STRING_EQUAL((const char *)content, name);
    coord_free(content);
}

static void test_cells__on_one_port_of_two_addresses_are_not_mixed_up(void)
{
    one_start(&cells[0]);
    one_start(&cells[1]); /* its local socket has a name of its own */
    coord_client *clients[2];
    coord_session *sessions[2];
    for (int i = 0; i < 2; i++) {
        coord_status *status = NULL;
        clients[i] = dial(cells[i].address);
        CU_ASSERT_EQUAL_FATAL(coord_status_get(clients[i], DEADLINE_MS, &status), COORD_OK);
        CU_ASSERT_STRING_EQUAL(status->cell, cells[i].id);
        coord_status_free(status);
        sessions[i] = open_session(clients[i]);
        write_name(sessions[i], cells[i].id);
    }
    for (int i = 0; i < 2; i++) {
        expect_name(sessions[i], cells[i].id);
        CU_ASSERT_EQUAL(coord_session_close(sessions[i], DEADLINE_MS), COORD_OK);
        coord_client_close(clients[i]);
    }
    one_stop(&cells[0]);
    one_stop(&cells[1]);
}

/* The list of servers names one of another cell: it is not asked for anything. */
static void test_cells__a_server_of_another_cell_does_not_stand_in(void)
{
    char both[80];
    (void)snprintf(both, sizeof both, "%s,%s", cells[0].address, cells[1].address);
    one_start(&cells[0]);
    coord_client *client = dial(both);
    coord_session *s = open_session(client), *none = NULL;
    write_name(s, "mine");
    one_start(&cells[1]);
    coord_client *other = dial(cells[1].address);
    coord_session *theirs = open_session(other);
    one_stop(&cells[0]);
    coord_session_options o = COORD_SESSION_OPTIONS_INIT;
    o.deadline_ms = SHORT_MS;
    CU_ASSERT_EQUAL(coord_session_open(client, &o, &none), COORD_ERR_UNAVAILABLE);
    CU_ASSERT_NOT_EQUAL(coord_set(s, "/name", "x", 1, NULL, SHORT_MS, NULL), COORD_OK);
    coord_session_listing *sessions = NULL;
    CU_ASSERT_EQUAL_FATAL(coord_sessions(theirs, 0, 0, DEADLINE_MS, &sessions), COORD_OK);
    CU_ASSERT_EQUAL(sessions->count, 1); /* theirs alone */
    coord_session_listing_free(sessions);
    one_start(&cells[0]); /* and it goes on where it was */
    expect_name(s, "mine");
    CU_ASSERT_EQUAL(coord_session_close(theirs, DEADLINE_MS), COORD_OK);
    coord_client_close(other);
    CU_ASSERT_EQUAL(coord_session_close(s, DEADLINE_MS), COORD_OK);
    coord_client_close(client);
    one_stop(&cells[0]);
    one_stop(&cells[1]);
}

/* Another cell is made where the old one was. Its word on our session would be EXPIRED,
 * and our write would be done there: neither is asked of it. */
static void test_cells__an_address_that_changed_hands_is_refused_by_name(void)
{
    one_start(&cells[0]);
    coord_client *client = dial(cells[0].address);
    coord_session *s = open_session(client), *none = NULL;
    write_name(s, "mine");
    one_stop(&cells[0]);
    one_start(&cells[2]);
    coord_client *other = dial(cells[2].address);
    coord_session *theirs = open_session(other);
    coord_session_options o = COORD_SESSION_OPTIONS_INIT;
    o.deadline_ms = SHORT_MS;
    CU_ASSERT_EQUAL(coord_session_open(client, &o, &none), COORD_ERR_UNAVAILABLE);
    CU_ASSERT_PTR_NOT_NULL(strstr(coord_error_detail(), "wrong cell"));
    CU_ASSERT_NOT_EQUAL(coord_set(s, "/name", "x", 1, NULL, SHORT_MS, NULL), COORD_OK);
    CU_ASSERT_NOT_EQUAL(coord_session_state_now(s), COORD_SESSION_EXPIRED);
    coord_stat stat;
    CU_ASSERT_EQUAL(coord_stat_get(theirs, "/name", DEADLINE_MS, &stat), COORD_ERR_NO_NODE);
    CU_ASSERT_EQUAL(coord_session_close(theirs, DEADLINE_MS), COORD_OK);
    coord_client_close(other);
    one_stop(&cells[2]);
    one_start(&cells[0]);
    expect_name(s, "mine");
    CU_ASSERT_EQUAL(coord_session_close(s, DEADLINE_MS), COORD_OK);
    coord_client_close(client);
    one_stop(&cells[0]);
}

int main(int argc, char **argv)
{
    static const struct test_case cases[] = {
        TEST(test_cells__on_one_port_of_two_addresses_are_not_mixed_up),
        TEST(test_cells__a_server_of_another_cell_does_not_stand_in),
        TEST(test_cells__an_address_that_changed_hands_is_refused_by_name),
    };
    char first[32], second[32];
    int port = ports_free(1);
    (void)snprintf(first, sizeof first, "127.0.0.1:%d", port);
    (void)snprintf(second, sizeof second, "127.0.0.2:%d", port);
    if (port == 0 || !one_init(&cells[0], first, "0a0a0a0a0a0a0a0a0a0a0a0a0a0a0a0a") ||
        !one_init(&cells[1], second, "0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b") ||
        !one_init(&cells[2], first, "0c0c0c0c0c0c0c0c0c0c0c0c0c0c0c0c"))
        return EXIT_FAILURE;
    int result = run_suite("cells", cases, sizeof cases / sizeof cases[0], argc, argv);
    for (int i = 0; i < CELLS; i++) {
        one_stop(&cells[i]);
        child_remove_directory(cells[i].top);
    }
    return result;
}
