/* peer_message.c - what a replica of three is told by the others, whatever they
 * say; and a client of it, so that there is something under way. */
#include <stdlib.h>

#include "coord/v1/coord.pb-c.h"
#include "coord/v1/replica.pb-c.h"
#include "coordd/replica/replica.h"
#include "tests/fuzz/cell.h"
#include "tests/fuzz/fuzz.h"
#include "tests/fuzz/peer_mend.h"

enum {
    OP_MESSAGE,  /* from member 2 or 3 (arg), checksums mended */
    OP_ENVELOPE, /* as it is */
    OP_LINK,
    OP_WAIT,   /* arg * arg ms */
    OP_CLIENT, /* on the one session stream */
    OP_STICK,
    OP_UNSTICK,
    OP_FULL,
    OP_RESTART,
    OPS,
};
enum { WAIT_STEPS = 50 };

const ProtobufCMessageDescriptor *fuzz_type(uint8_t op)
{
    switch (op % OPS) {
    case OP_MESSAGE:
        return &coord__v1__message__descriptor;
    case OP_ENVELOPE:
        return &coord__v1__envelope__descriptor;
    case OP_CLIENT:
        return &coord__v1__session_request__descriptor;
    default:
        return NULL;
    }
}

static void hear(struct cell *c, uint32_t from, struct slice bytes)
{
    uint8_t *copy = fuzz_copy(bytes);

    cell_step(c, (struct replica_event){.kind = REPLICA_EVENT_PEER_MESSAGE,
                                        .peer = from,
                                        .bytes = slice_of(copy, bytes.length)});
    free(copy);
}

static void play(struct cell *c, const struct fuzz_part *part)
{
    struct buffer mended = BUFFER_INIT;
    uint32_t from = 2 + part->arg % (PEER_MEMBERS - 1);

    switch (part->op % OPS) {
    case OP_MESSAGE:
        (void)peer_mend(&c->config, from, c->asked, part->bytes, &mended);
        hear(c, from, buffer_slice(&mended));
        break;
    case OP_ENVELOPE:
        hear(c, from, part->bytes);
        break;
    case OP_LINK:
        cell_step(c, (struct replica_event){.kind = REPLICA_EVENT_PEER_LINK,
                                            .peer = from,
                                            .link = (enum replica_link)(part->arg / 2 % 3)});
        break;
    case OP_WAIT:
        cell_wait(c, (uint32_t)part->arg * part->arg, WAIT_STEPS);
        break;
    case OP_CLIENT:
        if (!c->streams[c->last_stream].open)
            (void)cell_open(c, REPLICA_STREAM_SESSION);
        cell_message(c, c->last_stream, part->bytes);
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
    buffer_release(&mended);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct slice rest = slice_of(data, size);
    struct cell *c = check_malloc(sizeof *c);
    struct fuzz_part part;

    cell_init(c, PEER_MEMBERS);
    for (int i = 0; i < FUZZ_PARTS_MAX && fuzz_next(&rest, &part); i++)
        play(c, &part);
    cell_judge(c);
    cell_release(c);
    free(c);
    return 0;
}
