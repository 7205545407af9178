/* test_standing.c - what is said of a cell that serves nobody. */
#include <string.h>

#include "tests/support/runner.h"
#include "tools/coordctl/standing.h"

/* The struct owns its texts elsewhere; here nobody frees or writes them. */
static char *borrowed(const char *text)
{
    return (char *)(uintptr_t)text;
}

static coord_member server(uint32_t id, const char *address, const char *role,
                           const char *unreached)
{
    return (coord_member){.id = id,
                          .address = borrowed(address),
                          .role = borrowed(role),
                          .unreached = borrowed(unreached)};
}

/* Five of them; the first `gone` refuse, the last does not answer if it is `silent`. */
static coord_status cell_of(coord_member members[5], size_t gone, bool silent)
{
    static const char *const addresses[] = {"a:1", "b:1", "c:1", "d:1", "e:1"};
    for (uint32_t i = 0; i < 5; i++) {
        bool is_gone = i < gone, is_silent = i == 4 && silent;
        members[i] = server(i + 1, addresses[i], is_gone || is_silent ? "unreachable" : "follower",
                            is_gone     ? "refused"
                            : is_silent ? "silent"
                                        : "");
    }
    return (coord_status){.members = members, .members_count = 5};
}

static void says(const coord_status *status, const char *wanted)
{
    char text[STANDING_BYTES];
    standing_text(status, text);
    CU_ASSERT_STRING_EQUAL(text, wanted);
}

static void test_standing__who_is_not_reached_is_named_by_the_reason(void)
{
    coord_member members[5];
    coord_status status = cell_of(members, 2, true);
    CU_ASSERT_FALSE(standing_serves(&status));
    says(&status, "3 of 5 servers cannot be reached (refused: a:1, b:1; silent: e:1); "
                  "2 answered, and nobody leads: that takes 3, a majority");
    members[4].unreached = borrowed("");
    says(&status, "3 of 5 servers cannot be reached (refused: a:1, b:1; not asked: e:1); "
                  "2 answered, and nobody leads: that takes 3, a majority");
}

static void test_standing__a_majority_without_a_leader_is_another_matter(void)
{
    coord_member members[5];
    coord_status status = cell_of(members, 0, true);
    says(&status, "1 of 5 servers cannot be reached (silent: e:1); 4 answered, and nobody leads: "
                  "they are electing, or do not reach each other");
    status = cell_of(members, 0, false);
    says(&status, "5 answered, and nobody leads: they are electing, or do not reach each other");
}

static void test_standing__a_cell_that_is_not_founded_names_whom_it_waits_for(void)
{
    coord_member members[5];
    uint32_t awaited[] = {1, 5};
    coord_status status = cell_of(members, 1, false);
    status.leader = 2;
    status.awaited = awaited;
    status.awaited_count = 2;
    CU_ASSERT_FALSE(standing_serves(&status));
    says(&status, "1 of 5 servers cannot be reached (refused: a:1); the cell is not founded yet: "
                  "each server must be up once, and it waits for 1 (a:1), 5 (e:1)");
}

static void test_standing__who_leads_is_named(void)
{
    coord_member members[5];
    coord_status status = cell_of(members, 0, false);
    status.leader = 3;
    CU_ASSERT_TRUE(standing_serves(&status));
    says(&status, "server 3 (c:1) leads, as they say");
}

static void test_standing__who_takes_nothing_new_is_named(void)
{
    coord_member members[5];
    coord_status status = cell_of(members, 0, false);
    char text[STANDING_BYTES];
    standing_crowded(&status, text);
    CU_ASSERT_STRING_EQUAL(text, "");
    members[1].crowded = members[3].crowded = true;
    standing_crowded(&status, text);
    CU_ASSERT_STRING_EQUAL(text, "server 2, 4 takes nothing new until it has got the state of "
                                 "another: it holds all of the log that is kept without one");
}

static void test_standing__long_names_are_cut(void)
{
    static char address[600];
    char text[STANDING_BYTES];
    memset(address, 'x', sizeof address - 1);
    coord_member members[5];
    coord_status status = cell_of(members, 5, false);
    for (size_t i = 0; i < 5; i++)
        members[i].address = address;
    standing_text(&status, text);
    CU_ASSERT_EQUAL(strlen(text), STANDING_BYTES - 1);
}

int main(int argc, char **argv)
{
    static const struct test_case cases[] = {
        TEST(test_standing__who_is_not_reached_is_named_by_the_reason),
        TEST(test_standing__a_majority_without_a_leader_is_another_matter),
        TEST(test_standing__a_cell_that_is_not_founded_names_whom_it_waits_for),
        TEST(test_standing__who_leads_is_named),
        TEST(test_standing__who_takes_nothing_new_is_named),
        TEST(test_standing__long_names_are_cut),
    };
    return run_suite("standing", cases, sizeof(cases) / sizeof(cases[0]), argc, argv);
}
