/* test_defaults.c - what one gets who asks for nothing special, from five real servers;
 * and that errors can be told apart. */
#define _GNU_SOURCE
#include <coord/coord.h>
#include <stdlib.h>
#include <string.h>

#include "tests/libcoord/cell.h"
#include "tests/support/runner.h"

enum { DEADLINE_MS = 10000 };

static struct cell cell;

static void test_defaults__a_session_has_a_lease_of_12_s_and_45_s_of_grace(void)
{
    coord_client *client = NULL;
    coord_session *s = NULL;
    coord_session_listing *list = NULL;
    coord_session_options defaults = COORD_SESSION_OPTIONS_INIT;
    CU_ASSERT_EQUAL_FATAL(coord_client_open(cell.endpoints, NULL, &client), COORD_OK);
    CU_ASSERT_EQUAL_FATAL(coord_session_open(client, NULL, &s), COORD_OK);
    int64_t safe_ms = coord_session_safe_ms(s);
    CU_ASSERT(safe_ms > 11000 && safe_ms < 12000);
    CU_ASSERT_EQUAL_FATAL(coord_sessions(s, 0, 0, DEADLINE_MS, &list), COORD_OK);
    CU_ASSERT_EQUAL_FATAL(list->count, 1);
    CU_ASSERT_EQUAL(list->sessions[0].ttl_ms, 12000);
    CU_ASSERT_EQUAL(defaults.ttl_ms, 12000);
    CU_ASSERT_EQUAL(defaults.grace_ms, 45000);
    coord_session_listing_free(list);
    CU_ASSERT_EQUAL(coord_session_close(s, DEADLINE_MS), COORD_OK);
    coord_client_close(client);
}

static void test_defaults__every_error_has_a_name_and_words_of_its_own(void)
{
    for (int a = COORD_OK; a <= COORD_ERR_UNSUPPORTED; a++)
        for (int b = COORD_OK; b < a; b++) {
            CU_ASSERT_STRING_NOT_EQUAL(coord_error_name((coord_error)a),
                                       coord_error_name((coord_error)b));
            CU_ASSERT_STRING_NOT_EQUAL(coord_error_text((coord_error)a),
                                       coord_error_text((coord_error)b));
        }
}

int main(int argc, char **argv)
{
    static const struct test_case cases[] = {
        TEST(test_defaults__a_session_has_a_lease_of_12_s_and_45_s_of_grace),
        TEST(test_defaults__every_error_has_a_name_and_words_of_its_own),
    };
    if (!cell_start(&cell))
        return EXIT_FAILURE;
    int result = run_suite("defaults", cases, sizeof cases / sizeof cases[0], argc, argv);
    cell_stop(&cell);
    return result;
}
