/* state_apply.c - commands into a state. Those of op 0 are checked first, as the
 * replica does; those of op 1 come as from a log that nobody checked; op 2 reads.
 * `arg` says how much later it is. Without op 3 in between, the commands that follow
 * one another are one batch. */
#include <stdlib.h>

#include "coord/v1/coord.pb-c.h"
#include "coordd/state/scan.h"
#include "coordd/state/state.h"
#include "tests/fuzz/fuzz.h"
#include "tests/fuzz/records.h"

enum { OP_CHECKED, OP_UNCHECKED, OP_READ, OP_CUT, OP_BARRIER, OPS };
enum { WHY_BYTES = 256 };

struct lab {
    struct state *state;
    struct state_output out;
    uint64_t time_ms;
    struct buffer batch; /* the commands of the one at hand, packed as a Batch's */
};

const ProtobufCMessageDescriptor *fuzz_type(uint8_t op)
{
    switch (op % OPS) {
    case OP_CHECKED:
    case OP_UNCHECKED:
        return &coord__v1__command__descriptor;
    case OP_READ:
        return &coord__v1__read__descriptor;
    default:
        return NULL;
    }
}

static void judge_output(const struct state_output *out)
{
    for (uint32_t i = 0; i < out->answers_count; i++)
        DEMAND(fuzz_is_message(&coord__v1__answer__descriptor, out->answers[i].encoded));
    for (uint32_t i = 0; i < out->events_count; i++) {
        DEMAND(out->events[i].path.data[out->events[i].path.length] == 0);
        DEMAND(fuzz_is_message(&coord__v1__stat__descriptor, out->events[i].stat));
    }
}

static void apply(struct lab *l)
{
    Coord__V1__Batch time = COORD__V1__BATCH__INIT;

    if (l->batch.length == 0)
        return;
    time.time_ms = l->time_ms;
    coord__v1__batch__pack(&time,
                           buffer_extend(&l->batch, coord__v1__batch__get_packed_size(&time)));
    uint8_t *copy = fuzz_copy(buffer_slice(&l->batch));
    state_apply(l->state, slice_of(copy, l->batch.length), &l->out);
    free(copy);
    buffer_clear(&l->batch);
    judge_output(&l->out);
    DEMAND(state_check(l->state) == NULL);
}

/* False if nobody would take it. */
static bool passes(struct slice bytes, const Coord__V1__Command *c)
{
    char why[WHY_BYTES];
    const char *field;

    return scan_strings(&coord__v1__command__descriptor, bytes, &field) == ERR_OK &&
           state_check_command(c, why, sizeof why) == ERR_OK;
}

static void add(struct lab *l, struct slice bytes, bool checked)
{
    Coord__V1__Command *c = coord__v1__command__unpack(NULL, bytes.length, bytes.data);
    Coord__V1__Command *list[1] = {c};
    Coord__V1__Batch batch = COORD__V1__BATCH__INIT;

    if (c == NULL)
        return;
    if (!checked || passes(bytes, c)) {
        batch.commands = list;
        batch.n_commands = 1;
        coord__v1__batch__pack(&batch,
                               buffer_extend(&l->batch, coord__v1__batch__get_packed_size(&batch)));
    }
    coord__v1__command__free_unpacked(c, NULL);
}

static void look(struct lab *l, struct slice bytes)
{
    Coord__V1__Read *read = coord__v1__read__unpack(NULL, bytes.length, bytes.data);
    struct buffer answer = BUFFER_INIT;
    const char *field;

    if (read == NULL)
        return;
    if (scan_strings(&coord__v1__read__descriptor, bytes, &field) == ERR_OK &&
        read->op_case != COORD__V1__READ__OP_STATUS) { /* the replica's own */
        state_read(l->state, read, NULL, NULL, NULL, &answer);
        DEMAND(fuzz_is_message(&coord__v1__answer__descriptor, buffer_slice(&answer)));
    }
    buffer_release(&answer);
    coord__v1__read__free_unpacked(read, NULL);
}

static void play(struct lab *l, const struct fuzz_part *part)
{
    l->time_ms += part->arg;
    switch (part->op % OPS) {
    case OP_CHECKED:
    case OP_UNCHECKED:
        add(l, part->bytes, part->op % OPS == OP_CHECKED);
        break;
    case OP_READ:
        apply(l);
        look(l, part->bytes);
        break;
    case OP_CUT:
        apply(l);
        break;
    case OP_BARRIER:
        apply(l);
        state_apply_leader_start(l->state, part->arg);
        break;
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct slice rest = slice_of(data, size);
    struct fuzz_part part;
    struct lab l = {.state = state_new(records_cell), .time_ms = 1000};

    state_output_init(&l.out);
    for (int i = 0; i < FUZZ_PARTS_MAX && fuzz_next(&rest, &part); i++)
        play(&l, &part);
    apply(&l);
    records_judge(l.state);
    state_output_release(&l.out);
    buffer_release(&l.batch);
    state_free(l.state);
    return 0;
}
