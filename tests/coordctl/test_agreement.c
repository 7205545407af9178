/* test_agreement.c - do servers that applied the same have the same state? */
#include <stdlib.h>
#include <string.h>

#include "tests/support/runner.h"
#include "tools/coordctl/agreement.h"

/* Begun anew by each test. */
static struct agreement a;

/* What member `id` says; nothing, if the hash is "". */
static coord_member said(uint32_t id, uint64_t applied, const char *hash)
{
    coord_member m = {.id = id, .applied = applied};
    memcpy(m.state_hash, hash, strlen(hash) + 1);
    return m;
}

static size_t add(coord_member *members, size_t count)
{
    const coord_status status = {.members = members, .members_count = count};
    return agreement_add(&a, &status);
}

static void test_agreement__the_same_at_the_same_place_agrees(void)
{
    coord_member all[] = {said(1, 7, "aa"), said(2, 7, "aa"), said(3, 7, "aa")};
    memset(&a, 0, sizeof(a));
    CU_ASSERT_EQUAL(add(all, 3), 0);
    CU_ASSERT_FALSE(a.differs);
    CU_ASSERT_TRUE(agreement_compared(&a, 1) && agreement_compared(&a, 3));
    CU_ASSERT_FALSE(agreement_compared(&a, 4));
}

static void test_agreement__another_at_the_same_place_differs(void)
{
    coord_member all[] = {said(1, 7, "aa"), said(2, 8, "bb"), said(3, 7, "ab")};
    memset(&a, 0, sizeof(a));
    (void)add(all, 3);
    CU_ASSERT_TRUE(a.differs);
    CU_ASSERT_EQUAL(a.one.id, 1);
    CU_ASSERT_EQUAL(a.other.id, 3);
    CU_ASSERT_EQUAL(a.other.applied, 7);
    CU_ASSERT_STRING_EQUAL(a.one.hash, "aa");
    CU_ASSERT_STRING_EQUAL(a.other.hash, "ab");
}

static void test_agreement__the_minority_is_odd(void)
{
    coord_member all[] = {said(1, 7, "aa"), said(2, 7, "bb"), said(3, 7, "aa"), said(4, 6, "cc"),
                          said(5, 7, "aa")};
    memset(&a, 0, sizeof(a));
    (void)add(all, 5);
    CU_ASSERT_TRUE(a.differs);
    CU_ASSERT_TRUE(agreement_is_odd(&a, 2, 5));
    CU_ASSERT_FALSE(agreement_is_odd(&a, 1, 5) || agreement_is_odd(&a, 4, 5));
    CU_ASSERT_FALSE(agreement_is_odd(&a, 2, 6)); /* three of six are no majority */
}

static void test_agreement__the_quarantined_are_not_waited_for(void)
{
    coord_member all[] = {said(1, 7, "aa"), said(2, 7, "aa"), said(3, 5, "zz")};
    memset(&a, 0, sizeof(a));
    all[2].role = (char *)"quarantined";
    CU_ASSERT_EQUAL(add(all, 3), 0);
    CU_ASSERT_TRUE(agreement_quarantined(&all[2]));
    CU_ASSERT_FALSE(agreement_quarantined(&all[0]));
}

static void test_agreement__other_places_are_not_compared(void)
{
    coord_member all[] = {said(1, 7, "aa"), said(2, 8, "bb"), said(3, 0, "")};
    memset(&a, 0, sizeof(a));
    CU_ASSERT_EQUAL(add(all, 3), 2); /* who says nothing is not waited for */
    CU_ASSERT_FALSE(a.differs);
    CU_ASSERT_EQUAL(a.compared, 0);
}

static void test_agreement__what_was_said_before_counts(void)
{
    coord_member first[] = {said(1, 7, "aa"), said(2, 6, "zz")};
    coord_member second[] = {said(1, 9, "cc"), said(2, 7, "aa")};
    coord_member third[] = {said(1, 11, "ee"), said(2, 9, "xx")};
    memset(&a, 0, sizeof(a));
    CU_ASSERT_EQUAL(add(first, 2), 2);
    CU_ASSERT_EQUAL(add(second, 2), 0);
    CU_ASSERT_FALSE(a.differs);
    (void)add(third, 2);
    CU_ASSERT_TRUE(a.differs);
    CU_ASSERT_EQUAL(a.one.applied, 9);
}

static void test_agreement__who_changes_his_mind_differs(void)
{
    coord_member first[] = {said(1, 7, "aa")}, second[] = {said(1, 7, "ab")};
    memset(&a, 0, sizeof(a));
    CU_ASSERT_EQUAL(add(first, 1), 1);
    (void)add(second, 1);
    CU_ASSERT_TRUE(a.differs);
}

static void test_agreement__only_the_latest_are_kept(void)
{
    memset(&a, 0, sizeof(a));
    for (uint64_t i = 1; i <= AGREEMENT_SEEN_MAX + 5; i++) {
        coord_member one[] = {said(1, i, "aa")};
        (void)add(one, 1);
    }
    coord_member old[] = {said(2, 3, "bb")}, late[] = {said(2, AGREEMENT_SEEN_MAX, "bb")};
    (void)add(old, 1);
    CU_ASSERT_FALSE(a.differs);
    (void)add(late, 1);
    CU_ASSERT_TRUE(a.differs);
}

int main(int argc, char **argv)
{
    static const struct test_case cases[] = {
        TEST(test_agreement__the_same_at_the_same_place_agrees),
        TEST(test_agreement__another_at_the_same_place_differs),
        TEST(test_agreement__the_minority_is_odd),
        TEST(test_agreement__the_quarantined_are_not_waited_for),
        TEST(test_agreement__other_places_are_not_compared),
        TEST(test_agreement__what_was_said_before_counts),
        TEST(test_agreement__who_changes_his_mind_differs),
        TEST(test_agreement__only_the_latest_are_kept),
    };
    return run_suite("agreement", cases, sizeof(cases) / sizeof(cases[0]), argc, argv);
}
