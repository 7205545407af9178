/* test_list.c - intrusive lists. */
#include "libcoord/base/list.h"

#include "tests/support/runner.h"

static void test_list__a_new_head_is_empty(void)
{
    struct list head;
    list_init(&head);
    CU_ASSERT_TRUE(list_empty(&head));
    CU_ASSERT_PTR_NULL(list_first(&head));
}

static void test_list__append_keeps_the_order_and_prepend_goes_first(void)
{
    struct list head, a, b, c;
    list_init(&head);
    list_append(&head, &b);
    list_append(&head, &c);
    list_prepend(&head, &a);
    CU_ASSERT_PTR_EQUAL(list_first(&head), &a);
    CU_ASSERT_PTR_EQUAL(a.next, &b);
    CU_ASSERT_PTR_EQUAL(b.next, &c);
    CU_ASSERT_PTR_EQUAL(c.next, &head);
    CU_ASSERT_PTR_EQUAL(head.previous, &c);
    CU_ASSERT_PTR_EQUAL(c.previous, &b);
    CU_ASSERT_PTR_EQUAL(b.previous, &a);
    CU_ASSERT_PTR_EQUAL(a.previous, &head);
}

static void test_list__remove_unlinks_and_may_be_repeated(void)
{
    struct list head, a, b, c;
    list_init(&head);
    list_append(&head, &a);
    list_append(&head, &b);
    list_append(&head, &c);
    list_remove(&b);
    CU_ASSERT_TRUE(list_empty(&b));
    list_remove(&b);
    CU_ASSERT_PTR_EQUAL(a.next, &c);
    CU_ASSERT_PTR_EQUAL(c.previous, &a);
    list_remove(&a);
    list_remove(&c);
    CU_ASSERT_TRUE(list_empty(&head));
}

int main(int argc, char **argv)
{
    static const struct test_case cases[] = {
        TEST(test_list__a_new_head_is_empty),
        TEST(test_list__append_keeps_the_order_and_prepend_goes_first),
        TEST(test_list__remove_unlinks_and_may_be_repeated),
    };
    return run_suite("list", cases, sizeof cases / sizeof cases[0], argc, argv);
}
