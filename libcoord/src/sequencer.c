/* sequencer.c - taking sequencers apart and comparing them; needs no client. */
#include <string.h>

#include "libcoord/src/inner.h"

enum { CELL_DIGITS = 2 * CELL_ID_BYTES };

/* Decimal, without sign or needless zeros, up to a colon, which is passed too. */
static bool take_number(const char **at, uint64_t *ret)
{
    uint64_t v = 0;
    const char *p = *at;
    if (*p < '0' || *p > '9' || (p[0] == '0' && p[1] != ':'))
        return false;
    for (; *p >= '0' && *p <= '9'; p++) {
        uint64_t digit = (uint64_t)(*p - '0');
        if (v > (UINT64_MAX - digit) / 10)
            return false;
        v = 10 * v + digit;
    }
    if (*p != ':')
        return false;
    *at = p + 1;
    *ret = v;
    return true;
}

static bool parse(const char *text, coord_sequencer *ret)
{
    static const char digits[] = "0123456789abcdef";
    if (strspn(text, digits) != CELL_DIGITS || text[CELL_DIGITS] != ':')
        return false;
    memcpy(ret->cell, text, CELL_DIGITS);
    ret->cell[CELL_DIGITS] = '\0';
    const char *at = text + CELL_DIGITS + 1;
    if (!take_number(&at, &ret->instance) || (at[0] != 'x' && at[0] != 's') || at[1] != ':')
        return false;
    ret->exclusive = at[0] == 'x';
    at += 2;
    if (!take_number(&at, &ret->generation) || at[0] != '/')
        return false;
    ret->path = at;
    return true;
}

coord_error check_sequencer(const char *name, const char *text, coord_sequencer *ret)
{
    coord_sequencer s = {.size = sizeof s};
    if (text == NULL)
        return fail(COORD_ERR_INVALID, "%s: is NULL", name);
    if (!parse(text, &s))
        return fail(COORD_ERR_INVALID, "%s: is not <cell>:<instance>:<x or s>:<generation>:<path>",
                    name);
    *ret = s;
    return COORD_OK;
}

coord_error coord_sequencer_parse(const char *text, coord_sequencer *ret)
{
    detail_clear();
    if (ret == NULL)
        return fail(COORD_ERR_INVALID, "ret: is NULL");
    return check_sequencer("text", text, ret);
}

int coord_sequencer_compare(const coord_sequencer *a, const coord_sequencer *b,
                            bool *ret_comparable)
{
    bool comparable =
        a != NULL && b != NULL && strcmp(a->cell, b->cell) == 0 && strcmp(a->path, b->path) == 0;
    if (ret_comparable != NULL)
        *ret_comparable = comparable;
    if (!comparable)
        return 0;
    /* Both are revisions of the cell: a node made again has a higher instance. */
    if (a->instance != b->instance)
        return a->instance < b->instance ? -1 : 1;
    return (a->generation > b->generation) - (a->generation < b->generation);
}
