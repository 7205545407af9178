/* sequencer.c - see sequencer.h. */
#include "coordd/state/sequencer.h"

#include <string.h>

#include "coordd/state/lock.h"
#include "coordd/state/node.h"
#include "coordd/state/path.h"

static bool take_byte(struct reader *r, char wanted)
{
    return reader_u8(r) == (uint8_t)wanted && !r->failed;
}

static bool take_cell(struct reader *r, uint8_t cell[STATE_CELL_ID_BYTES])
{
    char digits[2 * STATE_CELL_ID_BYTES + 1];
    struct slice s = reader_bytes(r, 2 * STATE_CELL_ID_BYTES);
    if (r->failed)
        return false;
    for (size_t i = 0; i < s.length; i++) {
        if (s.data[i] >= 'A' && s.data[i] <= 'F')
            return false;
    }
    memcpy(digits, s.data, s.length);
    digits[s.length] = '\0';
    return hex_decode(digits, cell, STATE_CELL_ID_BYTES);
}

/* Digits up to a colon, which is taken too. */
static bool take_number(struct reader *r, uint64_t *ret)
{
    uint64_t number = 0;
    for (int digits_count = 0;; digits_count++) {
        uint8_t c = reader_u8(r);
        if (r->failed)
            return false;
        if (c == ':') {
            *ret = number;
            return digits_count > 0;
        }
        if (c < '0' || c > '9' || (digits_count > 0 && number == 0))
            return false;
        uint64_t digit = (uint64_t)(c - '0');
        if (number > (UINT64_MAX - digit) / 10)
            return false;
        number = number * 10 + digit;
    }
}

static bool take_mode(struct reader *r, Coord__V1__LockMode *ret)
{
    uint8_t c = reader_u8(r);
    *ret = c == 'x' ? COORD__V1__LOCK_MODE__LOCK_EXCLUSIVE : COORD__V1__LOCK_MODE__LOCK_SHARED;
    return c == 'x' || c == 's';
}

bool sequencer_parse(struct slice text, struct sequencer *ret)
{
    struct reader r = reader_of(text);
    if (!take_cell(&r, ret->cell) || !take_byte(&r, ':'))
        return false;
    if (!take_number(&r, &ret->instance) || !take_mode(&r, &ret->mode) || !take_byte(&r, ':'))
        return false;
    if (!take_number(&r, &ret->generation))
        return false;
    ret->path = reader_bytes(&r, r.left);
    const char *why;
    return path_check(ret->path, &limits_hard, &why) == ERR_OK;
}

static void put_decimal(struct buffer *text, uint64_t number)
{
    char digits[20];
    size_t at = sizeof digits;
    do {
        digits[--at] = (char)('0' + number % 10);
        number /= 10;
    } while (number > 0);
    buffer_put(text, digits + at, sizeof digits - at);
}

void sequencer_print(const struct state *s, const struct claim *claim, struct buffer *text)
{
    char cell[2 * STATE_CELL_ID_BYTES + 1];
    hex_encode(s->cell, sizeof s->cell, cell);
    buffer_put(text, cell, sizeof cell - 1);
    buffer_put_u8(text, ':');
    put_decimal(text, claim->lock->node->instance);
    buffer_put(text, claim->mode == COORD__V1__LOCK_MODE__LOCK_SHARED ? ":s:" : ":x:", 3);
    put_decimal(text, claim->generation);
    buffer_put_u8(text, ':');
    struct slice path = lock_path(claim->lock);
    buffer_put(text, path.data, path.length);
}

/* Of the holders there are many only if they share; each has its own generation. */
static bool is_held(const struct lock *lock, const struct sequencer *wanted)
{
    for (struct list *at = lock->holders.next; at != &lock->holders; at = at->next) {
        const struct claim *claim = container_of(at, struct claim, place);
        if (claim->generation == wanted->generation && claim->mode == wanted->mode)
            return true;
    }
    return false;
}

enum err sequencer_check(const struct state *s, struct slice text, const char **ret_why)
{
    struct sequencer wanted;
    if (!sequencer_parse(text, &wanted)) {
        *ret_why = "sequencer: not of the form cell:instance:mode:generation:path";
        return ERR_INVALID;
    }
    *ret_why = "sequencer: the lock that it names is no longer held";
    if (memcmp(wanted.cell, s->cell, sizeof s->cell) != 0) {
        *ret_why = "sequencer: of another cell";
        return ERR_STALE_SEQUENCER;
    }
    const struct node *node = node_find(s, wanted.path);
    if (node == NULL || node->instance != wanted.instance || node->lock == NULL)
        return ERR_STALE_SEQUENCER;
    return is_held(node->lock, &wanted) ? ERR_OK : ERR_STALE_SEQUENCER;
}
