/* sequencer.c - the printable name of a grant, to the server's parser and to the
 * library's: what the server takes the library takes, and both read the same. */
#include <coord/coord.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "coordd/state/sequencer.h"
#include "tests/fuzz/fuzz.h"

enum { TEXT_BYTES = 4096 };

static void judge_same(const struct sequencer *a, const coord_sequencer *b)
{
    char cell[2 * STATE_CELL_ID_BYTES + 1];

    hex_encode(a->cell, sizeof a->cell, cell);
    DEMAND(strcmp(cell, b->cell) == 0);
    DEMAND(a->instance == b->instance && a->generation == b->generation);
    DEMAND((a->mode == COORD__V1__LOCK_MODE__LOCK_EXCLUSIVE) == b->exclusive);
    DEMAND(slice_equal(a->path, slice_of_string(b->path)));
}

/* There is one spelling. */
static void judge_spelling(const coord_sequencer *s, const char *text)
{
    char again[TEXT_BYTES];
    int length = snprintf(again, sizeof again, "%s:%llu:%c:%llu:%s", s->cell,
                          (unsigned long long)s->instance, s->exclusive ? 'x' : 's',
                          (unsigned long long)s->generation, s->path);

    DEMAND(length > 0);
    DEMAND((size_t)length >= sizeof again || strcmp(again, text) == 0);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    uint8_t *bytes = fuzz_copy(slice_of(data, size));
    char *text = fuzz_text(slice_of(data, size));
    bool whole = size == 0 || memchr(data, 0, size) == NULL;
    struct sequencer server;
    coord_sequencer library = {.size = sizeof library};
    bool taken = sequencer_parse(slice_of(bytes, size), &server);
    bool known = coord_sequencer_parse(text, &library) == COORD_OK;

    DEMAND(!taken || whole);
    DEMAND(!taken || known);
    if (taken)
        judge_same(&server, &library);
    if (known)
        judge_spelling(&library, text);
    free(bytes);
    free(text);
    return 0;
}
