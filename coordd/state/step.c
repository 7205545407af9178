/* step.c - see step.h. */
#include "coordd/state/step.h"

#include <string.h>

#include "coordd/state/lock.h"
#include "coordd/state/node.h"
#include "coordd/state/sequencer.h"
#include "coordd/state/session.h"
#include "coordd/state/stat.h"
#include "libcoord/base/check.h"

void step_begin(struct step *step, struct state *s, struct state_output *out,
                const Coord__V1__Command *command, uint32_t index)
{
    *step = (struct step){.state = s, .out = out, .command = command, .index = index, .why = ""};
    coord__v1__answer__init(&step->answer);
}

enum err step_refuse(struct step *step, enum err e, const char *why)
{
    step->why = why;
    return e;
}

enum err step_find(struct step *step, const char *path, uint64_t instance, struct node **ret)
{
    struct node *node = node_find(step->state, slice_of_string(path));
    if (instance != 0 && (node == NULL || node->instance != instance))
        return step_refuse(step, ERR_INSTANCE_GONE, "instance: that node was deleted");
    if (node == NULL)
        return step_refuse(step, ERR_NO_NODE, "path: no such node");
    *ret = node;
    return ERR_OK;
}

enum err step_guard(struct step *step, const char *sequencer)
{
    if (*sequencer == '\0')
        return ERR_OK;
    return sequencer_check(step->state, slice_of_string(sequencer), &step->why);
}

uint64_t step_revision(struct step *step)
{
    if (!step->changed) {
        step->changed = true;
        step->state->revision++;
    }
    return step->state->revision;
}

/* Room for one more in a list of the output. */
static void *grow(void *list, uint32_t count, uint32_t *capacity, size_t element_bytes)
{
    if (count < *capacity)
        return list;
    CHECK(*capacity <= UINT32_MAX / 2);
    *capacity = *capacity == 0 ? 16 : *capacity * 2;
    return check_realloc(list, *capacity * element_bytes);
}

uint8_t *step_put_varint(uint8_t *out, uint64_t value)
{
    for (; value >= 0x80; value >>= 7)
        *out++ = (uint8_t)(value | 0x80);
    *out++ = (uint8_t)value;
    return out;
}

static struct slice arena_copy(struct state *s, const void *bytes, size_t length)
{
    uint8_t *copy = arena_take(&s->arena, length);
    memcpy(copy, bytes, length);
    return slice_of(copy, length);
}

struct slice step_event(struct step *step, enum state_event_kind kind, struct slice path,
                        const struct node *node)
{
    struct state *s = step->state;
    struct state_output *out = step->out;
    char *copy = arena_take(&s->arena, path.length + 1);
    memcpy(copy, path.data, path.length);
    copy[path.length] = '\0';
    struct state_event event = {
        .kind = kind, .revision = s->revision, .path = slice_of(copy, path.length)};
    if (node != NULL) {
        uint8_t stat[STAT_BYTES_MAX];
        event.stat = arena_copy(s, stat, stat_pack(node, path, stat));
    }
    out->events = grow(out->events, out->events_count, &out->events_capacity, sizeof *out->events);
    out->events[out->events_count++] = event;
    return event.stat;
}

void step_session_note(struct step *step, enum state_session_change change, uint64_t session,
                       uint32_t ttl_ms)
{
    struct state_output *out = step->out;
    out->sessions =
        grow(out->sessions, out->sessions_count, &out->sessions_capacity, sizeof *out->sessions);
    out->sessions[out->sessions_count++] =
        (struct state_session_note){.change = change, .session = session, .ttl_ms = ttl_ms};
}

static void put_answer(struct step *step, uint64_t session, uint64_t seq, struct slice encoded)
{
    struct state_output *out = step->out;
    uint32_t capacity = out->answers_capacity;
    out->answer_revisions =
        grow(out->answer_revisions, out->answers_count, &capacity, sizeof *out->answer_revisions);
    out->answers =
        grow(out->answers, out->answers_count, &out->answers_capacity, sizeof *out->answers);
    out->answer_revisions[out->answers_count] = step->state->revision;
    out->answers[out->answers_count++] = (struct state_answer){
        .session = session, .seq = seq, .index = step->index, .encoded = encoded};
}

uint8_t *step_put_field(uint8_t *out, uint32_t field, struct slice bytes)
{
    out = step_put_varint(out, field << 3 | 2); /* length-delimited */
    out = step_put_varint(out, bytes.length);
    if (bytes.length > 0)
        memcpy(out, bytes.data, bytes.length);
    return out + bytes.length;
}

/* A message's fields may follow each other in any order, so a body that is packed
 * already is put behind the rest of the answer. */
static struct slice pack_answer(struct step *step, Coord__V1__Answer *answer, enum err status,
                                const char *why, uint32_t field, struct slice body)
{
    answer->status = (Coord__V1__Status)status;
    answer->message = (char *)why;
    answer->revision = step->state->revision;
    size_t size = coord__v1__answer__get_packed_size(answer);
    uint8_t *bytes = arena_take(&step->state->arena, size + STEP_FIELD_BYTES_MAX + body.length);
    uint8_t *end = bytes + coord__v1__answer__pack(answer, bytes);
    if (body.data != NULL)
        end = step_put_field(end, field, body);
    return slice_of(bytes, (size_t)(end - bytes));
}

void step_answer(struct step *step, enum err status)
{
    const Coord__V1__Command *c = step->command;
    bool done = step->done.data != NULL;
    struct slice encoded =
        pack_answer(step, &step->answer, status, status == ERR_OK ? "" : step->why,
                    done ? COORD__V1__ANSWER__BODY_DONE : COORD__V1__ANSWER__BODY_STAT,
                    done ? step->done : step->stat);
    put_answer(step, c->session, c->seq, encoded);
    if (step->session != NULL)
        kept_add(step->state, step->session, c->seq, encoded);
}

void step_answer_claim(struct step *step, const struct claim *claim, enum err status)
{
    Coord__V1__Answer answer = COORD__V1__ANSWER__INIT;
    Coord__V1__Sequencer granted = COORD__V1__SEQUENCER__INIT;
    const char *why = "acquire: cancelled";
    if (status == ERR_OK) {
        why = "";
        granted.cell.data = step->state->cell;
        granted.cell.len = sizeof step->state->cell;
        granted.path = claim->lock->path;
        granted.instance = claim->lock->node->instance;
        granted.mode = claim->mode;
        granted.generation = claim->generation;
        answer.body_case = COORD__V1__ANSWER__BODY_GRANTED;
        answer.granted = &granted;
    }
    struct slice encoded = pack_answer(step, &answer, status, why, 0, slice_of(NULL, 0));
    put_answer(step, claim->session->id, claim->seq, encoded);
    kept_add(step->state, claim->session, claim->seq, encoded);
}

void step_answer_again(struct step *step, struct slice kept)
{
    /* Copied: a later command of the batch may drop what was kept. */
    put_answer(step, step->command->session, step->command->seq,
               arena_copy(step->state, kept.data, kept.length));
}

void step_answer_unapplied(struct step *step, enum err status, const char *why)
{
    Coord__V1__Answer answer = COORD__V1__ANSWER__INIT;
    struct slice encoded = pack_answer(step, &answer, status, why, 0, slice_of(NULL, 0));
    put_answer(step, step->command->session, step->command->seq, encoded);
}
