/* peer_mend.c - see peer_mend.h. */
#include "tests/fuzz/peer_mend.h"

#include <stdlib.h>
#include <string.h>

#include "coord/v1/command.pb-c.h"
#include "coord/v1/replica.pb-c.h"
#include "coordd/replica/peer_codec.h"
#include "libcoord/base/check.h"
#include "libcoord/base/hash.h"

enum { INCARNATION = 900 };

void peer_config(struct replica_config *ret, uint32_t members_count)
{
    memset(ret, 0, sizeof *ret);
    memset(ret->cell, 0xce, sizeof ret->cell);
    ret->self = PEER_SELF;
    ret->incarnation = INCARNATION + PEER_SELF;
    ret->seed = 5;
    ret->pid = 77;
    ret->version = "1";
    ret->members_count = members_count;
    for (uint32_t i = 0; i < members_count; i++) {
        ret->members[i].id = i + 1;
        memcpy(ret->members[i].address, "host:1", sizeof "host:1");
    }
}

static void mend_entries(Coord__V1__Entry **entries, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        Coord__V1__Entry *e = entries[i];

        if (e->kind == ENTRY_BATCH) {
            Coord__V1__Batch *batch = coord__v1__batch__unpack(NULL, e->value.len, e->value.data);

            if (batch == NULL)
                e->value.len = 0;
            else
                coord__v1__batch__free_unpacked(batch, NULL);
        }
        e->checksum = hash_bytes(e->kind, slice_of(e->value.data, e->value.len));
    }
}

static void mend_message(Coord__V1__Message *m, uint64_t asked)
{
    switch (m->body_case) {
    case COORD__V1__MESSAGE__BODY_PROMISE:
        mend_entries(m->promise->entries, m->promise->n_entries);
        break;
    case COORD__V1__MESSAGE__BODY_ACCEPT:
        mend_entries(m->accept->entries, m->accept->n_entries);
        break;
    case COORD__V1__MESSAGE__BODY_FETCHED:
        mend_entries(m->fetched->entries, m->fetched->n_entries);
        break;
    case COORD__V1__MESSAGE__BODY_TRANSFERRED:
        if (m->transferred->number == 0)
            m->transferred->number = asked;
        m->transferred->checksum =
            hash_bytes(m->transferred->slot,
                       slice_of(m->transferred->records.data, m->transferred->records.len));
        break;
    default:
        break;
    }
}

bool peer_mend(const struct replica_config *config, uint32_t from, uint64_t asked,
               struct slice body, struct buffer *out)
{
    Coord__V1__Envelope envelope = COORD__V1__ENVELOPE__INIT;
    Coord__V1__Message *m = coord__v1__message__unpack(NULL, body.length, body.data);
    struct buffer mended = BUFFER_INIT;

    if (m == NULL) {
        buffer_put(&mended, body.data, body.length);
    } else {
        mend_message(m, asked);
        coord__v1__message__pack(m, buffer_extend(&mended, coord__v1__message__get_packed_size(m)));
        coord__v1__message__free_unpacked(m, NULL);
    }
    envelope.cell.data = (uint8_t *)(uintptr_t)config->cell;
    envelope.cell.len = sizeof config->cell;
    envelope.epoch = PEER_EPOCH;
    envelope.from = from;
    envelope.incarnation = INCARNATION + from;
    envelope.body.data = mended.data;
    envelope.body.len = mended.length;
    coord__v1__envelope__pack(&envelope,
                              buffer_extend(out, coord__v1__envelope__get_packed_size(&envelope)));
    buffer_release(&mended);
    return m != NULL;
}
