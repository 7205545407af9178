/* path.c - a node's name, from anyone: two of them, with a NUL in between. */
#include <stdlib.h>
#include <string.h>

#include "coordd/state/path.h"
#include "tests/fuzz/fuzz.h"

/* What path_check passes is built of components that it passes, and its key names it. */
static void judge(struct slice path)
{
    struct slice rest = path, component;
    struct buffer again = BUFFER_INIT, key = BUFFER_INIT, back = BUFFER_INIT;
    const char *why;

    DEMAND(path.length > 0 && path.length <= limits_hard.path_bytes && path.data[0] == '/');
    while (path_next(&rest, &component)) {
        DEMAND(path_check_component(component, &limits_hard, &why) == ERR_OK);
        buffer_put_u8(&again, '/');
        buffer_put(&again, component.data, component.length);
    }
    DEMAND(path_is_root(path) || slice_equal(buffer_slice(&again), path));
    path_put_key(&key, path);
    path_from_key(&back, buffer_slice(&key));
    DEMAND(slice_equal(buffer_slice(&back), path));
    if (!path_is_root(path)) {
        DEMAND(path_check(path_parent(path), &limits_hard, &why) == ERR_OK);
        DEMAND(path_within(path, path_parent(path)) && !path_within(path_parent(path), path));
        DEMAND(path_compare(path_parent(path), path) < 0);
        DEMAND(path_name(path).length > 0);
    }
    buffer_release(&again);
    buffer_release(&key);
    buffer_release(&back);
}

static int sign(int v)
{
    return (v > 0) - (v < 0);
}

/* Paths stand in the order of their keys. */
static void judge_order(struct slice a, struct slice b)
{
    struct buffer one = BUFFER_INIT, other = BUFFER_INIT;

    path_put_key(&one, a);
    path_put_key(&other, b);
    DEMAND(sign(path_compare(a, b)) ==
           sign(slice_compare(buffer_slice(&one), buffer_slice(&other))));
    DEMAND(sign(path_compare(a, b)) == -sign(path_compare(b, a)));
    DEMAND((path_compare(a, b) == 0) == slice_equal(a, b));
    buffer_release(&one);
    buffer_release(&other);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    const uint8_t *nul = size == 0 ? NULL : memchr(data, 0, size);
    size_t first = nul == NULL ? size : (size_t)(nul - data);
    struct slice halves[2] = {slice_of(data, first),
                              slice_of(data + first + (nul != NULL), size - first - (nul != NULL))};
    uint8_t *copies[2];
    bool good[2];
    const char *why = NULL;

    for (int i = 0; i < 2; i++) {
        copies[i] = fuzz_copy(halves[i]);
        halves[i].data = copies[i];
        good[i] = path_check(halves[i], &limits_of_a_new_cell, &why) == ERR_OK;
        DEMAND(good[i] || why != NULL);
        if (good[i])
            judge(halves[i]);
    }
    if (good[0] && good[1])
        judge_order(halves[0], halves[1]);
    free(copies[0]);
    free(copies[1]);
    return 0;
}
