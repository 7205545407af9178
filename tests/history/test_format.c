/* test_format.c - what was recorded is read as it was, wherever its writer was killed. */
#define _GNU_SOURCE
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "libcoord/base/prng.h"
#include "tests/history/format.h"
#include "tests/support/runner.h"

static bool read_text(struct history *h, const char *text, struct history_problem *ret)
{
    return history_read(h, slice_of_string(text), ret);
}

static void check_refused(const char *text, size_t line, const char *why)
{
    struct history h;
    struct history_problem problem = {0};
    history_init(&h);
    CU_ASSERT_FALSE(read_text(&h, text, &problem));
    CU_ASSERT_EQUAL(problem.line, line);
    if (strstr(problem.text, why) == NULL)
        fprintf(stderr, "\"%s\" does not say \"%s\"\n", problem.text, why);
    CU_ASSERT_PTR_NOT_NULL(strstr(problem.text, why));
    history_release(&h);
}

static void test_format__a_call_is_read_as_it_was_written(void)
{
    struct history h;
    struct history_problem problem = {0};
    struct buffer file = BUFFER_INIT;
    struct history_ask parts[] = {
        {.op = HISTORY_ABSENT, .path = "/x,y z"},
        {.op = HISTORY_PUT, .path = "/a=b%", .value = "", .generation = 7, .makes = true},
    };
    struct history_call call = {.client = 3,
                                .number = 9,
                                .invoked_ns = 1000,
                                .session = 12,
                                .ask = {.op = HISTORY_TRANSACTION},
                                .parts = parts,
                                .parts_count = 2};
    struct history_call answer = {
        .client = 3,
        .number = 9,
        .returned_ns = 2000,
        .error = ERR_BAD_GENERATION,
        .not_applied = true,
        .told = {.revision = 5, .failed = 2, .value = "a\nb\xff", .path = "/p"}};
    history_format_head(&file);
    history_format_invoke(&file, &call);
    history_format_return(&file, &answer);
    history_init(&h);
    CU_ASSERT_TRUE_FATAL(history_read(&h, buffer_slice(&file), &problem));
    CU_ASSERT_EQUAL_FATAL(h.calls_count, 1);
    const struct history_call *c = &h.calls[0];
    CU_ASSERT(c->client == 3 && c->number == 9 && c->session == 12);
    CU_ASSERT(c->invoked_ns == 1000 && c->returned_ns == 2000);
    CU_ASSERT_EQUAL(c->error, ERR_BAD_GENERATION);
    CU_ASSERT(c->not_applied && c->told.revision == 5 && c->told.failed == 2);
    CU_ASSERT_STRING_EQUAL(c->told.value, "a\nb\xff");
    CU_ASSERT_STRING_EQUAL(c->told.path, "/p");
    CU_ASSERT_EQUAL_FATAL(c->parts_count, 2);
    CU_ASSERT_EQUAL(c->parts[0].op, HISTORY_ABSENT);
    CU_ASSERT_STRING_EQUAL(c->parts[0].path, "/x,y z");
    CU_ASSERT_STRING_EQUAL(c->parts[1].path, "/a=b%");
    CU_ASSERT_STRING_EQUAL(c->parts[1].value, "");
    CU_ASSERT(c->parts[1].generation == 7 && c->parts[1].makes);
    buffer_release(&file);
    history_release(&h);
}

static void test_format__all_other_lines_are_read_as_they_were_written(void)
{
    struct history h;
    struct history_problem problem = {0};
    struct buffer file = BUFFER_INIT;
    history_format_belief(&file, &(struct history_belief){2, "/l", true, 44, 10, 20});
    history_format_loss(&file, &(struct history_loss){2, "/l", 44, 21});
    history_format_session(&file, &(struct history_session){2, 7, HISTORY_SESSION_JEOPARDY, 22});
    history_format_event(&file, &(struct history_event){.client = 2,
                                                        .watch = 5,
                                                        .kind = HISTORY_EVENT_CONTENT,
                                                        .path = "/a",
                                                        .revision = 50,
                                                        .value = "v",
                                                        .content_generation = 50,
                                                        .at_ns = 23});
    history_format_event(
        &file, &(struct history_event){
                   .client = 2, .watch = 5, .kind = HISTORY_EVENT_RESYNC, .revision = 60});
    history_init(&h);
    CU_ASSERT_TRUE_FATAL(history_read(&h, buffer_slice(&file), &problem));
    CU_ASSERT_FATAL(h.beliefs_count == 1 && h.losses_count == 1 && h.sessions_count == 1);
    CU_ASSERT_FATAL(h.events_count == 2);
    CU_ASSERT(h.beliefs[0].from_ns == 10 && h.beliefs[0].until_ns == 20);
    CU_ASSERT(h.beliefs[0].exclusive && h.beliefs[0].generation == 44);
    CU_ASSERT_PTR_EQUAL(h.beliefs[0].path, h.losses[0].path);
    CU_ASSERT_EQUAL(h.sessions[0].state, HISTORY_SESSION_JEOPARDY);
    CU_ASSERT_EQUAL(h.events[0].kind, HISTORY_EVENT_CONTENT);
    CU_ASSERT_STRING_EQUAL(h.events[0].value, "v");
    CU_ASSERT_PTR_NULL(h.events[1].path);
    CU_ASSERT_EQUAL(h.events[1].revision, 60);
    buffer_release(&file);
    history_release(&h);
}

/* Killed at any byte: whatever was whole is there, and what was invoked is of unknown
 * outcome until its return is whole. */
static void test_format__a_writer_may_be_killed_anywhere(void)
{
    struct history_problem problem = {0};
    struct buffer file = BUFFER_INIT;
    struct history_call call = {
        .client = 1, .number = 1, .invoked_ns = 5, .ask = {HISTORY_PUT, "/a", "1"}};
    history_format_head(&file);
    history_format_invoke(&file, &call);
    size_t invoked = file.length;
    call.returned_ns = 6;
    history_format_return(&file, &call);
    for (size_t length = 0; length <= file.length; length++) {
        struct history h;
        history_init(&h);
        CU_ASSERT_TRUE(history_read(&h, slice_of(file.data, length), &problem));
        CU_ASSERT_EQUAL(h.calls_count, length >= invoked ? 1 : 0);
        if (h.calls_count == 1)
            CU_ASSERT_EQUAL(history_outcome(&h.calls[0]),
                            length == file.length ? HISTORY_DONE : HISTORY_UNKNOWN);
        history_release(&h);
    }
    buffer_release(&file);
}

static void test_format__files_of_several_clients_are_one_history(void)
{
    struct history h;
    struct history_problem problem = {0};
    history_init(&h);
    CU_ASSERT(read_text(&h, "coord-history 1\ninvoke 1 1 1 get /a\n", &problem));
    CU_ASSERT(read_text(&h, "coord-history 1\ninvoke 2 2 1 get /a\nreturn 3 2 1 OK\n", &problem));
    CU_ASSERT_EQUAL_FATAL(h.calls_count, 2);
    CU_ASSERT_PTR_EQUAL(h.calls[0].ask.path, h.calls[1].ask.path);
    CU_ASSERT_EQUAL(h.calls[0].returned_ns, HISTORY_NEVER);
    CU_ASSERT_EQUAL(h.calls[1].returned_ns, 3);
    history_release(&h);
}

static void test_format__what_is_no_line_is_refused_and_named(void)
{
    check_refused("coord-history 2\n", 1, "later format");
    check_refused("coord-history 1\nnonsense 1 1\n", 2, "nonsense");
    check_refused("invoke 1 1 1 jump /a\n", 1, "jump");
    check_refused("invoke 1 1 1 put /a colour=red\n", 1, "colour");
    check_refused("invoke 1 1 1 put /a value\n", 1, "KEY=VALUE");
    check_refused("invoke 1 1 1 put /a value=%4\n", 1, "escape");
    check_refused("invoke 1 1 one put /a\n", 1, "no number");
    check_refused("invoke 1 1 1\n", 1, "too short");
    check_refused("return 1 1 1 OK\n", 1, "not invoked");
    check_refused("invoke 5 1 1 get /a\nreturn 4 1 1 OK\n", 2, "before it was invoked");
    check_refused("invoke 5 1 1 get /a\nreturn 6 1 1 OK\nreturn 7 1 1 OK\n", 3, "second time");
    check_refused("invoke 5 1 1 get /a\ninvoke 6 1 1 get /a\n", 2, "before");
    check_refused("event 5 1 1 content - 3\n", 1, "needs a path");
    check_refused("belief 5 1 9 /l both 3\n", 1, "both");
}

/* Random bytes in the place of some bytes: read or refused, never more. */
static void test_format__damage_ends_in_a_problem_at_most(void)
{
    static const char text[] = "coord-history 1\n"
                               "invoke 1 1 1 transaction - part=put,/a,value=x part=absent,/b\n"
                               "return 2 1 1 BAD_GENERATION revision=3 failed=2\n"
                               "belief 5 1 9 /l shared 3\n"
                               "event 5 1 1 content /a 3 value=%0a\n";
    struct prng random;
    prng_init(&random, 1);
    for (int i = 0; i < 20000; i++) {
        char copy[sizeof(text)];
        struct history h;
        struct history_problem problem = {0};
        memcpy(copy, text, sizeof(text));
        for (uint64_t changes = 1 + prng_below(&random, 3); changes > 0; changes--)
            copy[prng_below(&random, sizeof(text) - 1)] =
                "\n =,%-/019azA\x01\xff"[prng_below(&random, 16)];
        history_init(&h);
        if (!history_read(&h, slice_of(copy, sizeof(copy) - 1), &problem))
            CU_ASSERT(problem.line > 0 && problem.text[0] != '\0');
        history_release(&h);
    }
}

static void test_format__a_call_is_appended_as_lines_to_a_file(void)
{
    struct history h;
    struct history_problem problem = {0};
    char name[] = "/tmp/coord-history-XXXXXX", text[512];
    int fd = mkstemp(name);
    CU_ASSERT_FATAL(fd >= 0);
    struct history_call call = {
        .client = 1, .number = 1, .invoked_ns = 5, .returned_ns = 6, .ask = {HISTORY_GET, "/a"}};
    CU_ASSERT(history_write_head(fd) && history_write_invoke(fd, &call));
    CU_ASSERT(history_write_return(fd, &call));
    CU_ASSERT(history_write_belief(fd, &(struct history_belief){1, "/l", true, 4, 1, 2}));
    CU_ASSERT(history_write_loss(fd, &(struct history_loss){1, "/l", 4, 3}));
    CU_ASSERT(history_write_session(fd, &(struct history_session){1, 1, HISTORY_SESSION_SAFE, 3}));
    CU_ASSERT(history_write_event(
        fd, &(struct history_event){.client = 1, .watch = 1, .kind = HISTORY_EVENT_TOLD}));
    ssize_t length = pread(fd, text, sizeof(text), 0);
    CU_ASSERT_FATAL(length > 0);
    history_init(&h);
    CU_ASSERT(history_read(&h, slice_of(text, (size_t)length), &problem));
    CU_ASSERT(h.calls_count == 1 && h.beliefs_count == 1 && h.losses_count == 1);
    CU_ASSERT(h.sessions_count == 1 && h.events_count == 1);
    history_release(&h);
    close(fd);
    CU_ASSERT_FALSE(history_write_head(fd));
    unlink(name);
}

static void test_history__what_came_of_a_call_follows_from_its_error(void)
{
    struct history_call put = {.ask = {HISTORY_PUT}, .returned_ns = 1};
    struct history_call acquire = {.ask = {HISTORY_ACQUIRE}, .returned_ns = 1};
    CU_ASSERT_EQUAL(history_outcome(&put), HISTORY_DONE);
    put.error = ERR_NO_NODE;
    CU_ASSERT_EQUAL(history_outcome(&put), HISTORY_REFUSED);
    put.error = ERR_MAYBE_APPLIED;
    CU_ASSERT_EQUAL(history_outcome(&put), HISTORY_UNKNOWN);
    put.error = ERR_EXPIRED;
    CU_ASSERT_EQUAL(history_outcome(&put), HISTORY_UNKNOWN);
    put.not_applied = true;
    CU_ASSERT_EQUAL(history_outcome(&put), HISTORY_NOTHING);
    put.error = acquire.error = ERR_TIMEOUT;
    CU_ASSERT_EQUAL(history_outcome(&put), HISTORY_NOTHING);
    CU_ASSERT_EQUAL(history_outcome(&acquire), HISTORY_UNKNOWN);
    put.error = ERR_OK;
    put.returned_ns = HISTORY_NEVER;
    CU_ASSERT_EQUAL(history_outcome(&put), HISTORY_UNKNOWN);
}

static void test_history__values_that_are_long_or_odd_are_known_by_their_hash(void)
{
    char text[HISTORY_VALUE_BYTES + 1], other[HISTORY_VALUE_BYTES + 1], content[200] = {0};
    history_value("ab", 2, text);
    CU_ASSERT_STRING_EQUAL(text, "ab");
    history_value(NULL, 0, text);
    CU_ASSERT_STRING_EQUAL(text, "");
    history_value("#1", 2, text);
    CU_ASSERT_NSTRING_EQUAL(text, "#2:", 3);
    history_value("a\0b", 3, text);
    CU_ASSERT_NSTRING_EQUAL(text, "#3:", 3);
    memset(content, 'x', sizeof(content) - 1);
    history_value(content, sizeof(content), text);
    content[100] = 'y';
    history_value(content, sizeof(content), other);
    CU_ASSERT_STRING_NOT_EQUAL(text, other);
}

int main(int argc, char **argv)
{
    static const struct test_case cases[] = {
        TEST(test_format__a_call_is_read_as_it_was_written),
        TEST(test_format__all_other_lines_are_read_as_they_were_written),
        TEST(test_format__a_writer_may_be_killed_anywhere),
        TEST(test_format__files_of_several_clients_are_one_history),
        TEST(test_format__what_is_no_line_is_refused_and_named),
        TEST(test_format__damage_ends_in_a_problem_at_most),
        TEST(test_format__a_call_is_appended_as_lines_to_a_file),
        TEST(test_history__what_came_of_a_call_follows_from_its_error),
        TEST(test_history__values_that_are_long_or_odd_are_known_by_their_hash),
    };
    return run_suite("format", cases, sizeof(cases) / sizeof(cases[0]), argc, argv);
}
