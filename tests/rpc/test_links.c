/* Links between members: who dials, who is refused, what is told, and that a
 * link comes back. */
#define _GNU_SOURCE
#include <stdio.h>
#include <string.h>

#include "tests/rpc/bench.h"
#include "tests/support/runner.h"

enum {
    CELL = 7,
};
#define LINK      "/coord.v1.Replica/Link"
#define CELL_TEXT "07070707070707070707070707070707"

struct fixture {
    struct server one, two;
    struct client client;
    struct bench bench;
};

static struct fixture *fixture_open(void)
{
    static struct fixture f; /* large; one at a time */
    memset(&f, 0, sizeof f);
    return &f;
}

static void add_server(struct fixture *f, struct server *s, uint32_t self, uint8_t cell)
{
    server_open(s, self, cell);
    f->bench.servers[f->bench.servers_count++] = s;
}

static bool both_up(void *context)
{
    struct fixture *f = context;
    return server_link(&f->one, 2) == REPLICA_LINK_UP && server_link(&f->two, 1) == REPLICA_LINK_UP;
}

static void send_to(struct server *s, uint32_t peer, const char *text)
{
    struct blob *b = blob_copy(slice_of_string(text));
    rpc_send_peer(s->rpc, peer, b);
    blob_unref(b);
}

static unsigned peer_messages(const struct server *s)
{
    unsigned count = 0;
    for (unsigned i = 0; i < s->seen_count; i++)
        count += s->seen[i].kind == REPLICA_EVENT_PEER_MESSAGE;
    return count;
}

static bool three_each(void *context)
{
    struct fixture *f = context;
    return peer_messages(&f->one) >= 3 && peer_messages(&f->two) >= 3;
}

static bool two_refused(void *context)
{
    return server_link(&((struct fixture *)context)->two, 1) == REPLICA_LINK_REFUSED;
}

static void test_links__two_members_find_each_other_and_talk(void)
{
    struct fixture *f = fixture_open();
    add_server(f, &f->two, 2, CELL); /* dials before anybody is there */
    CU_ASSERT_TRUE_FATAL(bench_until(&f->bench, two_refused, f));
    add_server(f, &f->one, 1, CELL);
    CU_ASSERT_TRUE_FATAL(bench_until(&f->bench, both_up, f));
    for (int i = 0; i < 3; i++) {
        send_to(&f->one, 2, "to two");
        send_to(&f->two, 1, "to one!");
    }
    CU_ASSERT_TRUE(bench_until(&f->bench, three_each, f));
    /* Envelopes are never joined. */
    for (unsigned i = 0; i < f->two.seen_count; i++) {
        if (f->two.seen[i].kind == REPLICA_EVENT_PEER_MESSAGE)
            CU_ASSERT_EQUAL(f->two.seen[i].length, 6);
    }
    server_close(&f->one);
    server_close(&f->two);
}

static bool one_down(void *context)
{
    return server_link(&((struct fixture *)context)->one, 2) == REPLICA_LINK_DOWN;
}

/* The words by which a refused connection is known are gRPC's: if they change,
 * this fails. */
static void test_links__a_member_that_went_is_refused_and_comes_back(void)
{
    struct fixture *f = fixture_open();
    add_server(f, &f->one, 1, CELL);
    add_server(f, &f->two, 2, CELL);
    CU_ASSERT_TRUE_FATAL(bench_until(&f->bench, both_up, f));
    server_close(&f->one);
    CU_ASSERT_TRUE_FATAL(bench_until(&f->bench, two_refused, f));
    send_to(&f->two, 1, "nobody is there: dropped");
    server_open(&f->one, 1, CELL);
    CU_ASSERT_TRUE_FATAL(bench_until(&f->bench, both_up, f));
    server_close(&f->two);
    CU_ASSERT_TRUE_FATAL(bench_until(&f->bench, one_down, f));
    server_open(&f->two, 2, CELL);
    CU_ASSERT_TRUE(bench_until(&f->bench, both_up, f));
    server_close(&f->one);
    server_close(&f->two);
}

static bool rejected(void *context)
{
    struct fixture *f = context;
    return f->one.notes > 0 && f->two.notes > 0;
}

static void test_links__a_member_of_another_cell_is_refused_on_both_sides(void)
{
    struct fixture *f = fixture_open();
    add_server(f, &f->one, 1, CELL);
    add_server(f, &f->two, 2, CELL + 1);
    CU_ASSERT_TRUE_FATAL(bench_until(&f->bench, rejected, f));
    CU_ASSERT_EQUAL(f->one.note, RPC_NOTE_LINK_REFUSED);
    CU_ASSERT_EQUAL(f->two.note, RPC_NOTE_LINK_REJECTED);
    CU_ASSERT_PTR_NOT_NULL(strstr(f->one.noted, "wrong cell"));
    CU_ASSERT_PTR_NOT_NULL(strstr(f->two.noted, "wrong cell"));
    bench_for_ms(&f->bench, 300); /* not told again and again */
    CU_ASSERT_EQUAL(f->one.notes, 1);
    CU_ASSERT_EQUAL(f->two.notes, 1);
    CU_ASSERT_EQUAL(server_link(&f->one, 2), REPLICA_LINK_DOWN);
    CU_ASSERT_EQUAL(server_link(&f->two, 1), REPLICA_LINK_DOWN);
    server_close(&f->one);
    server_close(&f->two);
}

static bool client_ended(void *context)
{
    return ((struct fixture *)context)->client.ended;
}

struct greeting_case {
    const char *cell, *member, *incarnation, *target, *why;
};

/* Member 2 is called by a stranger that says what the case says. */
static void expect_refused(const struct greeting_case *c)
{
    struct fixture *f = fixture_open();
    add_server(f, &f->two, 2, CELL);
    client_open(&f->client, bench_target(2));
    f->bench.clients[f->bench.clients_count++] = &f->client;
    if (c->cell != NULL)
        client_header(&f->client, "coord-cell", c->cell);
    if (c->member != NULL)
        client_header(&f->client, "coord-member", c->member);
    if (c->incarnation != NULL)
        client_header(&f->client, "coord-incarnation", c->incarnation);
    if (c->target != NULL)
        client_header(&f->client, "coord-target", c->target);
    client_start(&f->client, LINK, true);
    CU_ASSERT_TRUE_FATAL(bench_until(&f->bench, client_ended, f));
    CU_ASSERT_EQUAL(f->client.status, GRPC_STATUS_FAILED_PRECONDITION);
    CU_ASSERT_PTR_NOT_NULL(strstr(f->client.details, c->why));
    if (strstr(f->client.details, c->why) == NULL)
        (void)fprintf(stderr, "wanted '%s', got '%s'\n", c->why, f->client.details);
    CU_ASSERT_EQUAL(server_link(&f->two, 3), REPLICA_LINK_DOWN);
    client_close(&f->client);
    server_close(&f->two);
}

static void test_links__strangers_are_refused_with_a_reason(void)
{
    static const struct greeting_case cases[] = {
        {"07070707070707070707070707070708", "3", "00000000000003eb", "2", "wrong cell"},
        {CELL_TEXT, "3", "00000000000003eb", "1", "wrong member: member 3 called 1, this is 2"},
        {CELL_TEXT, "4", "00000000000003eb", "2", "unknown member: 4"},
        {CELL_TEXT, "2", "00000000000003eb", "2", "unknown member: 2"}, /* ourselves */
        {CELL_TEXT, "1", "00000000000003eb", "2", "member 1 must wait to be called by 2"},
        {CELL_TEXT, "0", "00000000000003eb", "2", "greeting incomplete"},
        {CELL_TEXT, "-3", "00000000000003eb", "2", "greeting incomplete"},
        {CELL_TEXT, "99999999999", "00000000000003eb", "2", "greeting incomplete"},
        {CELL_TEXT, "3", "3eb", "2", "greeting incomplete"},
        {CELL_TEXT, "3", NULL, "2", "greeting incomplete"},
        {CELL_TEXT, "3", "00000000000003eb", NULL, "greeting incomplete"},
        {NULL, NULL, NULL, NULL, "greeting incomplete"},
        {"0707", "3", "00000000000003eb", "2", "greeting incomplete"},
        {CELL_TEXT CELL_TEXT, "3", "00000000000003eb", "2", "greeting incomplete"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++)
        expect_refused(&cases[i]);
}

static void greet_as_three(struct client *c)
{
    client_open(c, bench_target(1));
    client_header(c, "coord-cell", CELL_TEXT);
    client_header(c, "coord-member", "3");
    client_header(c, "coord-incarnation", "00000000000003eb");
    client_header(c, "coord-target", "1");
    client_start(c, LINK, true);
}

static bool three_up(void *context)
{
    return server_link(&((struct fixture *)context)->one, 3) == REPLICA_LINK_UP;
}

static bool three_down(void *context)
{
    return server_link(&((struct fixture *)context)->one, 3) == REPLICA_LINK_DOWN;
}

/* The peer only calls anew when it has given the old link up; what the old one
 * still delivers is not mixed in. */
static void test_links__a_second_call_of_a_peer_replaces_the_first(void)
{
    struct fixture *f = fixture_open();
    struct client second;
    add_server(f, &f->one, 1, CELL);
    greet_as_three(&f->client);
    f->bench.clients[f->bench.clients_count++] = &f->client;
    CU_ASSERT_TRUE_FATAL(bench_until(&f->bench, three_up, f));
    unsigned before = f->one.seen_count;
    greet_as_three(&second);
    f->bench.clients[f->bench.clients_count++] = &second;
    CU_ASSERT_TRUE_FATAL(bench_until(&f->bench, client_ended, f));
    CU_ASSERT_TRUE_FATAL(bench_until(&f->bench, three_up, f));
    CU_ASSERT_EQUAL(f->one.seen_count, before + 2);
    CU_ASSERT_EQUAL(f->one.seen[before].link, REPLICA_LINK_DOWN);
    CU_ASSERT_EQUAL(f->one.seen[before + 1].link, REPLICA_LINK_UP);
    CU_ASSERT_FALSE(second.ended);
    client_close(&f->client);
    client_close(&second);
    server_close(&f->one);
}

/* A peer that stops reading must not fill our memory. */
static void test_links__a_peer_that_does_not_read_loses_its_link_at_the_bound(void)
{
    struct fixture *f = fixture_open();
    add_server(f, &f->one, 1, CELL);
    client_open(&f->client, bench_target(1));
    client_header(&f->client, "coord-cell", CELL_TEXT);
    client_header(&f->client, "coord-member", "3");
    client_header(&f->client, "coord-incarnation", "00000000000003eb");
    client_header(&f->client, "coord-target", "1");
    client_start(&f->client, LINK, false);
    f->bench.clients[f->bench.clients_count++] = &f->client;
    CU_ASSERT_TRUE_FATAL(bench_until(&f->bench, three_up, f));
    struct blob *b = blob_new(4 * 1024 * 1024);
    memset(b->data, 'z', b->length);
    for (int i = 0; i < 20; i++) {
        rpc_send_peer(f->one.rpc, 3, b);
        bench_for_ms(&f->bench, 2);
    }
    blob_unref(b);
    CU_ASSERT_TRUE(bench_until(&f->bench, three_down, f));
    client_close(&f->client);
    server_close(&f->one);
}

int main(int argc, char **argv)
{
    static const struct test_case cases[] = {
        TEST(test_links__two_members_find_each_other_and_talk),
        TEST(test_links__a_member_that_went_is_refused_and_comes_back),
        TEST(test_links__a_member_of_another_cell_is_refused_on_both_sides),
        TEST(test_links__strangers_are_refused_with_a_reason),
        TEST(test_links__a_second_call_of_a_peer_replaces_the_first),
        TEST(test_links__a_peer_that_does_not_read_loses_its_link_at_the_bound),
    };
    return run_suite("links", cases, sizeof cases / sizeof cases[0], argc, argv);
}
