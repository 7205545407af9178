/* lab.c - see lab.h. */
#include "tests/state/lab.h"

#include <CUnit/CUnit.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "coordd/state/machine.h"
#include "libcoord/base/check.h"

const uint8_t lab_cell[STATE_CELL_ID_BYTES] = {0xc0, 0x0d, 1, 2,  3,  4,  5,  6,
                                               7,    8,    9, 10, 11, 12, 13, 14};

void lab_limit_history(struct state *s, uint32_t bytes)
{
    s->limits.history_bytes = bytes;
    ledger_touch(&s->ledger, &s->record);
    ledger_settle(s);
}

void lab_init(struct lab *l)
{
    memset(l, 0, sizeof *l);
    l->state = state_new(lab_cell);
    lab_limit_history(l->state, LAB_HISTORY_BYTES);
    state_output_init(&l->out);
    l->time_ms = 1700000000000;
}

static void forget_answer(struct lab *l)
{
    if (l->answer != NULL)
        coord__v1__answer__free_unpacked(l->answer, NULL);
    l->answer = NULL;
}

void lab_release(struct lab *l)
{
    forget_answer(l);
    state_output_release(&l->out);
    state_free(l->state);
}

struct buffer lab_batch(uint64_t time_ms, Coord__V1__Command **commands, size_t count)
{
    Coord__V1__Batch batch = COORD__V1__BATCH__INIT;
    struct buffer packed = BUFFER_INIT;
    batch.time_ms = time_ms;
    batch.commands = commands;
    batch.n_commands = count;
    size_t size = coord__v1__batch__get_packed_size(&batch);
    coord__v1__batch__pack(&batch, buffer_extend(&packed, size));
    return packed;
}

static Coord__V1__Answer *decode(struct slice encoded)
{
    Coord__V1__Answer *answer = coord__v1__answer__unpack(NULL, encoded.length, encoded.data);
    CU_ASSERT_PTR_NOT_NULL_FATAL(answer);
    return answer;
}

int lab_run(struct lab *l, Coord__V1__Command *c)
{
    struct buffer packed = lab_batch(++l->time_ms, &c, 1);
    state_apply(l->state, buffer_slice(&packed), &l->out);
    buffer_release(&packed);
    const char *broken = state_check(l->state);
    if (broken != NULL)
        fprintf(stderr, "broken: %s\n", broken);
    CU_ASSERT_PTR_NULL_FATAL(broken);

    forget_answer(l);
    for (uint32_t i = 0; i < l->out.answers_count; i++) {
        const struct state_answer *a = &l->out.answers[i];
        if (a->session != c->session || (c->session != 0 && a->seq != c->seq))
            continue;
        CU_ASSERT_PTR_NULL(l->answer); /* answered once */
        forget_answer(l);
        l->answer = decode(a->encoded);
    }
    return l->answer == NULL ? LAB_WAITS : (int)l->answer->status;
}

int lab_answered(const struct lab *l, uint64_t session, uint64_t seq)
{
    int status = LAB_WAITS;
    for (uint32_t i = 0; i < l->out.answers_count; i++) {
        if (l->out.answers[i].session != session || l->out.answers[i].seq != seq)
            continue;
        Coord__V1__Answer *answer = decode(l->out.answers[i].encoded);
        status = (int)answer->status;
        coord__v1__answer__free_unpacked(answer, NULL);
    }
    return status;
}

char *lab_sequencer(const struct lab *l)
{
    CU_ASSERT_PTR_NOT_NULL_FATAL(l->answer);
    CU_ASSERT_EQUAL_FATAL(l->answer->body_case, COORD__V1__ANSWER__BODY_GRANTED);
    const Coord__V1__Sequencer *g = l->answer->granted;
    CU_ASSERT_EQUAL_FATAL(g->cell.len, STATE_CELL_ID_BYTES);
    char cell[2 * STATE_CELL_ID_BYTES + 1];
    hex_encode(g->cell.data, g->cell.len, cell);
    size_t size = strlen(g->path) + 128;
    char *printed = check_malloc(size);
    snprintf(printed, size, "%s:%llu:%s:%llu:%s", cell, (unsigned long long)g->instance,
             g->mode == COORD__V1__LOCK_MODE__LOCK_SHARED ? "s" : "x",
             (unsigned long long)g->generation, g->path);
    return printed;
}

const char *lab_events(const struct lab *l, char *out, size_t out_bytes)
{
    static const char *const names[] = {"", "created", "content", "deleted", "held", "free"};
    size_t at = 0;
    out[0] = '\0';
    for (uint32_t i = 0; i < l->out.events_count; i++) {
        const struct state_event *e = &l->out.events[i];
        int n = snprintf(out + at, out_bytes - at, "%s%s %s", i == 0 ? "" : ", ", names[e->kind],
                         (const char *)e->path.data);
        CHECK(n > 0 && (size_t)n < out_bytes - at);
        at += (size_t)n;
    }
    return out;
}

Coord__V1__Stat *lab_stat(const struct lab *l, const char *path)
{
    struct buffer packed = BUFFER_INIT;
    Coord__V1__Stat *stat = NULL;
    if (state_stat(l->state, slice_of_string(path), &packed))
        stat = coord__v1__stat__unpack(NULL, packed.length, packed.data);
    buffer_release(&packed);
    return stat;
}

static uint64_t half_the_lease(void *context, uint64_t session)
{
    (void)context;
    return 6000 + session;
}

static uint64_t half_the_delay(void *context, struct slice path)
{
    (void)context;
    return 500 + path.length;
}

Coord__V1__Answer *lab_read(const struct lab *l, const Coord__V1__Read *read)
{
    struct buffer packed = BUFFER_INIT;
    state_read(l->state, read, half_the_lease, half_the_delay, NULL, &packed);
    Coord__V1__Answer *answer = decode(buffer_slice(&packed));
    buffer_release(&packed);
    return answer;
}

char *lab_content(const struct lab *l, const char *path)
{
    Coord__V1__Read read = COORD__V1__READ__INIT;
    Coord__V1__Get get = COORD__V1__GET__INIT;
    get.path = (char *)path;
    read.op_case = COORD__V1__READ__OP_GET;
    read.get = &get;
    Coord__V1__Answer *answer = lab_read(l, &read);
    char *content = NULL;
    if (answer->status == COORD__V1__STATUS__OK) {
        ProtobufCBinaryData d = answer->content->data;
        content = check_strndup(d.len == 0 ? "" : (const char *)d.data, d.len);
    }
    coord__v1__answer__free_unpacked(answer, NULL);
    return content;
}

int lab_check(const struct lab *l, const char *sequencer)
{
    Coord__V1__Read read = COORD__V1__READ__INIT;
    Coord__V1__CheckSequencer check = COORD__V1__CHECK_SEQUENCER__INIT;
    check.sequencer = (char *)sequencer;
    read.op_case = COORD__V1__READ__OP_CHECK;
    read.check = &check;
    Coord__V1__Answer *answer = lab_read(l, &read);
    int status = (int)answer->status;
    coord__v1__answer__free_unpacked(answer, NULL);
    return status;
}

static void load(void *context, struct slice key, struct slice value)
{
    CU_ASSERT_EQUAL_FATAL(state_load_record(context, key, value), ERR_OK);
}

struct state *lab_reload(const struct state *s)
{
    struct state *copy = state_new(lab_cell);
    state_records(s, load, copy);
    CU_ASSERT_EQUAL_FATAL(state_loaded(copy), ERR_OK);
    return copy;
}

void lab_put_output(const struct state_output *o, struct buffer *b)
{
    for (uint32_t i = 0; i < o->answers_count; i++) {
        buffer_put_u64(b, o->answers[i].session);
        buffer_put_u64(b, o->answers[i].seq);
        buffer_put_u32(b, o->answers[i].index);
        buffer_put_u64(b, o->answer_revisions[i]);
        buffer_put_slice(b, o->answers[i].encoded);
    }
    for (uint32_t i = 0; i < o->events_count; i++) {
        buffer_put_u32(b, (uint32_t)o->events[i].kind);
        buffer_put_u64(b, o->events[i].revision);
        buffer_put_slice(b, o->events[i].path);
        buffer_put_slice(b, o->events[i].stat);
    }
    for (uint32_t i = 0; i < o->sessions_count; i++) {
        buffer_put_u32(b, (uint32_t)o->sessions[i].change);
        buffer_put_u64(b, o->sessions[i].session);
        buffer_put_u32(b, o->sessions[i].ttl_ms);
    }
}

bool lab_same_hash(const struct state *a, const struct state *b)
{
    uint64_t x[2], y[2];
    state_hash(a, x);
    state_hash(b, y);
    return x[0] == y[0] && x[1] == y[1];
}
