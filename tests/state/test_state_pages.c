/* test_state_pages.c - listings whose pages are asked for while names come and go. */
#include <stdio.h>
#include <string.h>

#include "tests/state/lab.h"
#include "tests/support/runner.h"

enum { NAMES = 60, PAGE = 7 };

static Coord__V1__Answer *page(const struct lab *l, const char *after)
{
    Coord__V1__Read read = COORD__V1__READ__INIT;
    Coord__V1__List op = COORD__V1__LIST__INIT;
    op.path = (char *)(uintptr_t) "/d";
    op.after = (char *)(uintptr_t)after;
    op.limit = PAGE;
    read.op_case = COORD__V1__READ__OP_LIST;
    read.list = &op;
    return lab_read(l, &read);
}

static void make(struct lab *l, const char *kind, int number)
{
    char path[32];
    snprintf(path, sizeof path, "/d/%03d%s", number, kind);
    CU_ASSERT_EQUAL(lab_create(l, 0, path, ""), ERR_OK);
}

/* "k" stays, "g" goes before it can be told, and so does the very name that the next
 * page begins behind; "n" is new, before and behind it. */
static void test_pages__a_name_that_is_there_throughout_appears_exactly_once(void)
{
    struct lab l;
    char after[32] = "", path[64];
    int kept[NAMES] = {0}, pages = 0;
    lab_init(&l);
    CU_ASSERT_EQUAL(lab_create(&l, 0, "/d", ""), ERR_OK);
    for (int i = 0; i < NAMES; i++) {
        make(&l, "g", i);
        make(&l, "k", i);
    }
    for (bool more = true; more; pages++) {
        Coord__V1__Answer *answer = page(&l, after);
        CU_ASSERT_EQUAL_FATAL(answer->body_case, COORD__V1__ANSWER__BODY_LISTING);
        CU_ASSERT_EQUAL(answer->revision, state_revision(l.state));
        more = answer->listing->more;
        for (size_t i = 0; i < answer->listing->n_children; i++) {
            const char *name = answer->listing->children[i]->path + strlen("/d/");
            CU_ASSERT_TRUE(strcmp(name, after) > 0);
            snprintf(after, sizeof after, "%s", name);
            if (name[3] == 'k')
                kept[(name[0] - '0') * 100 + (name[1] - '0') * 10 + name[2] - '0']++;
        }
        coord__v1__answer__free_unpacked(answer, NULL);
        if (after[3] == 'g') {
            snprintf(path, sizeof path, "/d/%s", after);
            CU_ASSERT_EQUAL(lab_delete(&l, 0, path), ERR_OK);
        }
        make(&l, "n", pages);
        make(&l, "n", 999 - pages);
    }
    CU_ASSERT_TRUE(pages > 2 * NAMES / PAGE);
    for (int i = 0; i < NAMES; i++)
        CU_ASSERT_EQUAL(kept[i], 1);
    lab_release(&l);
}

int main(int argc, char **argv)
{
    static const struct test_case cases[] = {
        TEST(test_pages__a_name_that_is_there_throughout_appears_exactly_once),
    };
    return run_suite("state pages", cases, sizeof cases / sizeof cases[0], argc, argv);
}
