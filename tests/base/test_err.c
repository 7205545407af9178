/* test_err.c - the table of outcomes. */
#include "libcoord/base/err.h"

#include <string.h>

#include "coord/v1/command.pb-c.h"
#include "tests/support/runner.h"

static void test_err__every_number_has_a_name_and_a_text(void)
{
    for (int i = ERR_OK; i <= ERR_NO_SPACE; i++) {
        CU_ASSERT_STRING_NOT_EQUAL(err_name((enum err)i), "UNKNOWN");
        CU_ASSERT_STRING_NOT_EQUAL(err_text((enum err)i), "unknown error");
    }
}

static void test_err__names_and_numbers_are_those_of_the_wire(void)
{
    const ProtobufCEnumDescriptor *wire = &coord__v1__status__descriptor;
    CU_ASSERT_EQUAL(wire->n_values, ERR_NO_SPACE + 1);
    for (unsigned i = 0; i < wire->n_values; i++)
        CU_ASSERT_STRING_EQUAL(err_name((enum err)wire->values[i].value), wire->values[i].name);
}

static void test_err__no_two_numbers_share_a_text(void)
{
    for (int i = ERR_OK; i <= ERR_NO_SPACE; i++) {
        for (int j = i + 1; j <= ERR_NO_SPACE; j++)
            CU_ASSERT_STRING_NOT_EQUAL(err_text((enum err)i), err_text((enum err)j));
    }
}

static void test_err__an_unknown_number_has_words_too(void)
{
    CU_ASSERT_STRING_EQUAL(err_name((enum err)(ERR_NO_SPACE + 1)), "UNKNOWN");
    CU_ASSERT_STRING_EQUAL(err_text((enum err)(-1)), "unknown error");
    CU_ASSERT_STRING_EQUAL(err_text((enum err)0x7fffffff), "unknown error");
}

int main(int argc, char **argv)
{
    static const struct test_case cases[] = {
        TEST(test_err__every_number_has_a_name_and_a_text),
        TEST(test_err__names_and_numbers_are_those_of_the_wire),
        TEST(test_err__no_two_numbers_share_a_text),
        TEST(test_err__an_unknown_number_has_words_too),
    };
    return run_suite("err", cases, sizeof cases / sizeof cases[0], argc, argv);
}
