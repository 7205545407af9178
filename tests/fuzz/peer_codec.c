/* peer_codec.c - an envelope from another replica: op 0 as it is, op 1 the Message
 * in it, with right checksums. What is taken means the same when it is sent on. */
#include "coordd/replica/peer_codec.h"

#include <stdlib.h>
#include <string.h>

#include "coord/v1/replica.pb-c.h"
#include "tests/fuzz/fuzz.h"
#include "tests/fuzz/peer_mend.h"

enum { ARENA_BYTES = 16 * 1024 * 1024 };

const ProtobufCMessageDescriptor *fuzz_type(uint8_t op)
{
    return op % 2 == 0 ? &coord__v1__envelope__descriptor : &coord__v1__message__descriptor;
}

static void demand_same(const struct message *a, const struct message *b)
{
    struct message x = *a, y = *b;

    x.entries = y.entries = NULL;
    x.records = y.records = x.about = y.about = NULL;
    DEMAND(memcmp(&x, &y, sizeof x) == 0);
    DEMAND((a->records == NULL) == (b->records == NULL) &&
           (a->about == NULL) == (b->about == NULL));
    DEMAND(a->records == NULL || slice_equal(blob_slice(a->records), blob_slice(b->records)));
    DEMAND(a->about == NULL || slice_equal(blob_slice(a->about), blob_slice(b->about)));
    DEMAND(a->entries_count <= MESSAGE_ENTRIES_MAX);
    for (uint32_t i = 0; i < a->entries_count; i++) {
        const struct log_entry *e = &a->entries[i], *f = &b->entries[i];

        DEMAND(e->slot == f->slot && e->kind == f->kind);
        DEMAND(i == 0 || e->slot == a->entries[i - 1].slot + 1);
        DEMAND(a->kind != MESSAGE_ACCEPT || e->slot == a->previous_slot + 1 + i);
        DEMAND(a->kind == MESSAGE_ACCEPT || e->ballot == f->ballot);
        DEMAND(slice_equal(blob_slice(e->value), blob_slice(f->value)));
    }
}

static void decode(const struct replica_config *config, struct slice bytes)
{
    struct arena arena;
    struct peer_envelope envelope;
    struct message m, again;

    arena_init(&arena, ARENA_BYTES);
    if (peer_decode(config, &arena, bytes, &envelope, &m)) {
        struct blob *packed = peer_encode(config, &m);

        DEMAND(peer_decode(config, &arena, blob_slice(packed), &envelope, &again));
        DEMAND(envelope.from == config->self && envelope.incarnation == config->incarnation);
        demand_same(&m, &again);
        blob_unref(packed);
        message_release(&again);
        message_release(&m);
    } else {
        DEMAND(m.entries == NULL && m.entries_count == 0);
    }
    arena_release(&arena);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct slice rest = slice_of(data, size);
    struct fuzz_part part;
    struct replica_config config;

    peer_config(&config, PEER_MEMBERS);
    while (fuzz_next(&rest, &part)) {
        struct buffer mended = BUFFER_INIT;
        uint8_t *bytes;

        if (part.op % 2 != 0) {
            (void)peer_mend(&config, 2, 1, part.bytes, &mended);
            part.bytes = buffer_slice(&mended);
        }
        bytes = fuzz_copy(part.bytes);
        decode(&config, slice_of(bytes, part.bytes.length));
        free(bytes);
        buffer_release(&mended);
    }
    return 0;
}
