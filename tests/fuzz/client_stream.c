/* client_stream.c - what clients say on their streams, to a replica of a cell of
 * one. `arg` names the slot of a stream; streams are numbered from 1 as they are
 * opened, and the secret of a session is its stream's number, sixteen times. */
#include <stdlib.h>

#include "coord/v1/coord.pb-c.h"
#include "tests/fuzz/cell.h"
#include "tests/fuzz/fuzz.h"

enum {
    OP_SESSION, /* of these three, the stream is opened if its slot has none */
    OP_KEEPALIVE,
    OP_EXECUTE,
    OP_CLOSE,
    OP_WAIT, /* arg * arg ms */
    OP_LAGS,
    OP_DRAINED,
    OP_STICK,
    OP_UNSTICK,
    OP_FULL,
    OP_RESTART,
    OPS,
};
enum { SLOTS = 8, WAIT_STEPS = 100 };

const ProtobufCMessageDescriptor *fuzz_type(uint8_t op)
{
    switch (op % OPS) {
    case OP_SESSION:
        return &coord__v1__session_request__descriptor;
    case OP_KEEPALIVE:
        return &coord__v1__keep_alive_request__descriptor;
    case OP_EXECUTE:
        return &coord__v1__execute_request__descriptor;
    default:
        return NULL;
    }
}

static void say(struct cell *c, uint64_t *slot, enum replica_stream_kind kind, struct slice bytes)
{
    if (!c->streams[*slot].open || c->streams[*slot].kind != kind) {
        cell_close(c, *slot);
        *slot = cell_open(c, kind);
    }
    cell_message(c, *slot, bytes);
}

static void play(struct cell *c, uint64_t slots[SLOTS], const struct fuzz_part *part)
{
    uint64_t *slot = &slots[part->arg % SLOTS];

    switch (part->op % OPS) {
    case OP_SESSION:
        say(c, slot, REPLICA_STREAM_SESSION, part->bytes);
        break;
    case OP_KEEPALIVE:
        say(c, slot, REPLICA_STREAM_KEEPALIVE, part->bytes);
        break;
    case OP_EXECUTE:
        say(c, slot, REPLICA_STREAM_EXECUTE, part->bytes);
        break;
    case OP_CLOSE:
        cell_close(c, *slot);
        break;
    case OP_WAIT:
        cell_wait(c, (uint32_t)part->arg * part->arg, WAIT_STEPS);
        break;
    case OP_LAGS:
    case OP_DRAINED:
        cell_step(c, (struct replica_event){.kind = part->op % OPS == OP_LAGS
                                                        ? REPLICA_EVENT_STREAM_LAGS
                                                        : REPLICA_EVENT_STREAM_DRAINED,
                                            .stream = *slot});
        break;
    case OP_STICK:
        c->stuck = true;
        break;
    case OP_UNSTICK:
        cell_unstick(c, false);
        break;
    case OP_FULL:
        cell_unstick(c, true);
        break;
    case OP_RESTART:
        cell_restart(c);
        break;
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct slice rest = slice_of(data, size);
    struct cell *c = check_malloc(sizeof *c);
    uint64_t slots[SLOTS] = {0};
    struct fuzz_part part;

    cell_init(c, 1);
    for (int i = 0; i < FUZZ_PARTS_MAX && fuzz_next(&rest, &part); i++)
        play(c, slots, &part);
    cell_judge(c);
    cell_release(c);
    free(c);
    return 0;
}
