/* command_transaction.c - several checks and changes, all of them or none.
 *
 * The changes are made one after the other by the handlers that make each alone,
 * so each sees what those before it did. If one is refused the journal takes the
 * others back: events and revision too, and nobody ever knew. */
#include <string.h>

#include "coordd/state/command.h"
#include "coordd/state/node.h"
#include "coordd/state/path.h"

enum { DONE_STATS = 1, DONE_FAILED = 2, STAT_PATH = 1 }; /* fields */

static enum err judge(struct step *step, const Coord__V1__Check *c)
{
    enum err e = step_guard(step, c->sequencer);
    if (e != ERR_OK || !command_check_asks_of_node(c))
        return e;
    struct node *node = NULL;
    e = step_find(step, c->path, c->instance, &node);
    if (c->absent)
        return e == ERR_NO_NODE ? ERR_OK : step_refuse(step, ERR_NODE_EXISTS, "path: exists");
    if (e == ERR_OK && c->content_generation != 0 &&
        c->content_generation != node->content_generation)
        e = step_refuse(step, ERR_BAD_GENERATION, "content_generation: is another");
    return e;
}

/* What there is to tell of a node that is gone. */
static struct slice path_alone(struct step *step, const char *path)
{
    struct slice text = slice_of_string(path);
    uint8_t *stat = arena_take(&step->state->arena, STEP_FIELD_BYTES_MAX + text.length);
    return slice_of(stat, (size_t)(step_put_field(stat, STAT_PATH, text) - stat));
}

static enum err change(struct step *step, const Coord__V1__Change *c, struct slice *ret_stat)
{
    enum err e;
    switch (c->op_case) {
    case COORD__V1__CHANGE__OP_CREATE:
        e = command_create(step, c->create);
        break;
    case COORD__V1__CHANGE__OP_PUT:
        e = command_put(step, c->put);
        break;
    case COORD__V1__CHANGE__OP_DELETE:
        e = command_delete(step, c->delete_);
        step->stat = path_alone(step, c->delete_->path);
        break;
    case COORD__V1__CHANGE__OP__NOT_SET:
    default:
        e = step_refuse(step, ERR_UNSUPPORTED, "changes: an unknown operation");
        break;
    }
    *ret_stat = step->stat;
    step->stat = slice_of(NULL, 0);
    return e;
}

static struct slice pack_done(struct step *step, const struct slice *stats, size_t count)
{
    size_t size = 1; /* not NULL, even if nothing is in it */
    for (size_t i = 0; i < count; i++)
        size += STEP_FIELD_BYTES_MAX + stats[i].length;
    uint8_t *bytes = arena_take(&step->state->arena, size), *end = bytes;
    for (size_t i = 0; i < count; i++)
        end = step_put_field(end, DONE_STATS, stats[i]);
    return slice_of(bytes, (size_t)(end - bytes));
}

void command_transaction_failed(struct step *step, uint32_t part)
{
    uint8_t *bytes = arena_take(&step->state->arena, 2 * STEP_VARINT_BYTES_MAX), *end;
    end = step_put_varint(bytes, DONE_FAILED << 3);
    end = step_put_varint(end, part);
    step->done = slice_of(bytes, (size_t)(end - bytes));
}

static void take_back(struct step *step, uint32_t events_before)
{
    journal_take_back(step->state);
    step->out->events_count = events_before;
    step->changed = false;
}

enum err command_transaction(struct step *step, const Coord__V1__Transaction *t)
{
    struct state *s = step->state;
    enum err e = ERR_OK;
    uint32_t part = 0, events_before = step->out->events_count;
    for (size_t i = 0; i < t->n_checks && e == ERR_OK; i++, part++)
        e = judge(step, t->checks[i]);

    struct slice *stats = arena_take(&s->arena, t->n_changes * sizeof *stats);
    journal_open(s);
    for (size_t i = 0; i < t->n_changes && e == ERR_OK; i++, part++)
        e = change(step, t->changes[i], &stats[i]);
    if (e == ERR_OK) {
        journal_keep(s);
        step->done = pack_done(step, stats, t->n_changes);
    } else {
        take_back(step, events_before);
        command_transaction_failed(step, part);
    }
    return e;
}
