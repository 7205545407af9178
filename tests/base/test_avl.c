/* test_avl.c - ordered trees, against a sorted array as the model. */
#include "libcoord/base/avl.h"

#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "libcoord/base/prng.h"
#include "tests/support/runner.h"

enum { KEYS_MAX = 400 };

struct item {
    uint32_t key;
    bool linked;
    struct avl_node node;
};

static int compare_items(const void *key, const struct avl_node *node)
{
    uint32_t a = *(const uint32_t *)key;
    uint32_t b = container_of(node, const struct item, node)->key;
    return (a > b) - (a < b);
}

/* Returns the height, or -1 if some invariant below `node` is broken. */
static int checked_height(const struct avl_node *node, const struct avl_node *parent)
{
    if (node == NULL)
        return 0;
    if (node->parent != parent)
        return -1;
    int left = checked_height(node->left, node);
    int right = checked_height(node->right, node);
    if (left < 0 || right < 0 || node->balance != right - left || node->balance < -1 ||
        node->balance > 1)
        return -1;
    return 1 + (left > right ? left : right);
}

static uint32_t key_of(const struct avl_node *node)
{
    return node == NULL ? UINT32_MAX : container_of(node, const struct item, node)->key;
}

/* The model: items[k].linked says whether k is in. Walks both ways, asks for
 * every key and every neighbour. */
static bool agrees_with_model(const struct avl *t, const struct item *items)
{
    if (checked_height(t->root, NULL) < 0)
        return false;
    size_t count = 0;
    const struct avl_node *at = avl_first(t);
    const struct avl_node *last = NULL;
    for (uint32_t k = 0; k < KEYS_MAX; k++) {
        bool linked = items[k].linked;
        if (avl_at_least(t, &k, compare_items) != at)
            return false;
        if (avl_find(t, &k, compare_items) != (linked ? &items[k].node : NULL))
            return false;
        if (linked) {
            if (at != &items[k].node || avl_previous(at) != last)
                return false;
            last = at;
            at = avl_next(at);
            count++;
        }
        if (avl_above(t, &k, compare_items) != at)
            return false;
    }
    return at == NULL && avl_last(t) == last && t->count == count;
}

static void init_items(struct item *items)
{
    memset(items, 0, KEYS_MAX * sizeof *items);
    for (uint32_t k = 0; k < KEYS_MAX; k++)
        items[k].key = k;
}

static void link_item(struct avl *t, struct item *item)
{
    CU_ASSERT_PTR_NULL_FATAL(avl_insert(t, &item->node, &item->key, compare_items));
    item->linked = true;
}

static void unlink_item(struct avl *t, struct item *item)
{
    avl_remove(t, &item->node);
    item->linked = false;
}

static void test_avl__an_empty_tree_has_nothing(void)
{
    struct avl t = AVL_INIT;
    uint32_t key = 1;
    CU_ASSERT_PTR_NULL(avl_first(&t));
    CU_ASSERT_PTR_NULL(avl_last(&t));
    CU_ASSERT_PTR_NULL(avl_find(&t, &key, compare_items));
    CU_ASSERT_PTR_NULL(avl_at_least(&t, &key, compare_items));
    CU_ASSERT_PTR_NULL(avl_above(&t, &key, compare_items));
}

static void test_avl__a_second_of_one_key_is_refused_and_nothing_changes(void)
{
    struct avl t = AVL_INIT;
    struct item first = {.key = 5}, second = {.key = 5};
    CU_ASSERT_PTR_NULL(avl_insert(&t, &first.node, &first.key, compare_items));
    CU_ASSERT_PTR_EQUAL(avl_insert(&t, &second.node, &second.key, compare_items), &first.node);
    CU_ASSERT_EQUAL(t.count, 1);
    CU_ASSERT_PTR_EQUAL(t.root, &first.node);
    CU_ASSERT_PTR_EQUAL(container_of(avl_first(&t), struct item, node), &first);
    CU_ASSERT_PTR_NULL(container_of_or_null(avl_next(&first.node), struct item, node));
}

static void test_avl__rising_and_falling_keys_stay_balanced(void)
{
    static struct item items[KEYS_MAX];
    for (int rising = 0; rising < 2; rising++) {
        struct avl t = AVL_INIT;
        init_items(items);
        for (uint32_t i = 0; i < KEYS_MAX; i++) {
            link_item(&t, &items[rising ? i : KEYS_MAX - 1 - i]);
            CU_ASSERT_TRUE_FATAL(checked_height(t.root, NULL) > 0);
        }
        /* 1.45 log2(400) is 12.5. */
        CU_ASSERT_TRUE(checked_height(t.root, NULL) <= 12);
        CU_ASSERT_TRUE(agrees_with_model(&t, items));
        for (uint32_t i = 0; i < KEYS_MAX; i++) {
            unlink_item(&t, &items[i]);
            CU_ASSERT_TRUE_FATAL(checked_height(t.root, NULL) >= 0);
        }
        CU_ASSERT_PTR_NULL(t.root);
        CU_ASSERT_EQUAL(t.count, 0);
    }
}

/* Every removal from every tree that the insertion orders of six keys give:
 * small, but each rotation and each shape of removal is in it. */
static void test_avl__every_small_tree_survives_every_removal(void)
{
    enum { SMALL = 6 };
    static struct item items[KEYS_MAX];
    for (uint32_t order = 0; order < 720; order++) {
        for (uint32_t victim = 0; victim < SMALL; victim++) {
            struct avl t = AVL_INIT;
            init_items(items);
            uint32_t code = order, left[SMALL] = {0, 1, 2, 3, 4, 5};
            for (uint32_t n = SMALL; n > 0; n--) {
                uint32_t pick = code % n;
                code /= n;
                link_item(&t, &items[left[pick]]);
                left[pick] = left[n - 1];
            }
            unlink_item(&t, &items[victim]);
            CU_ASSERT_TRUE_FATAL(checked_height(t.root, NULL) > 0);
            for (uint32_t k = 0; k < SMALL; k++)
                CU_ASSERT_EQUAL(avl_find(&t, &k, compare_items) != NULL, k != victim);
            CU_ASSERT_EQUAL(t.count, SMALL - 1);
        }
    }
}

/* Random insertions and removals, at densities from nearly empty to nearly
 * full, compared with the model as they go. */
static void test_avl__it_agrees_with_a_sorted_array(void)
{
    enum { SEEDS = 20, STEPS = 2000, COMPARE_EVERY = 25 };
    static struct item items[KEYS_MAX];
    for (uint64_t seed = 0; seed < SEEDS; seed++) {
        struct prng p;
        struct avl t = AVL_INIT;
        prng_init(&p, seed);
        init_items(items);
        uint64_t in_twenty = 1 + seed % 19;
        for (int step = 0; step < STEPS; step++) {
            struct item *item = &items[prng_below(&p, KEYS_MAX)];
            bool want = prng_chance(&p, in_twenty, 20);
            if (want && !item->linked)
                link_item(&t, item);
            else if (!want && item->linked)
                unlink_item(&t, item);
            if (step % COMPARE_EVERY == 0)
                CU_ASSERT_TRUE_FATAL(agrees_with_model(&t, items));
        }
        CU_ASSERT_TRUE_FATAL(agrees_with_model(&t, items));
    }
}

/* The end of a range that nobody holds. */
static void test_avl__neighbours_of_absent_keys_are_found(void)
{
    struct avl t = AVL_INIT;
    struct item items[3] = {{.key = 10}, {.key = 20}, {.key = 30}};
    for (int i = 0; i < 3; i++)
        link_item(&t, &items[i]);
    uint32_t asked[] = {0, 10, 15, 30, 31};
    uint32_t at_least[] = {10, 10, 20, 30, UINT32_MAX};
    uint32_t above[] = {10, 20, 20, UINT32_MAX, UINT32_MAX};
    for (int i = 0; i < 5; i++) {
        CU_ASSERT_EQUAL(key_of(avl_at_least(&t, &asked[i], compare_items)), at_least[i]);
        CU_ASSERT_EQUAL(key_of(avl_above(&t, &asked[i], compare_items)), above[i]);
    }
}

int main(int argc, char **argv)
{
    static const struct test_case cases[] = {
        TEST(test_avl__an_empty_tree_has_nothing),
        TEST(test_avl__a_second_of_one_key_is_refused_and_nothing_changes),
        TEST(test_avl__rising_and_falling_keys_stay_balanced),
        TEST(test_avl__every_small_tree_survives_every_removal),
        TEST(test_avl__it_agrees_with_a_sorted_array),
        TEST(test_avl__neighbours_of_absent_keys_are_found),
    };
    return run_suite("avl", cases, sizeof cases / sizeof cases[0], argc, argv);
}
