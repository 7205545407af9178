/* peer_codec.c - see peer_codec.h. */
#include "coordd/replica/peer_codec.h"

#include <stdlib.h>
#include <string.h>

#include "coord/v1/replica.pb-c.h"
#include "coordd/replica/wire.h"
#include "libcoord/base/check.h"
#include "libcoord/base/hash.h"

/* ---- encoding ---- */

struct packed {
    Coord__V1__Message message;
    Coord__V1__Prepare prepare;
    Coord__V1__Promise promise;
    Coord__V1__Accept accept;
    Coord__V1__Accepted accepted;
    Coord__V1__Refused refused;
    Coord__V1__Probe probe;
    Coord__V1__Probed probed;
    Coord__V1__Fetch fetch;
    Coord__V1__Fetched fetched;
    Coord__V1__Relinquish relinquish;
    Coord__V1__Transfer transfer;
    Coord__V1__Transferred transferred;
    Coord__V1__StateHash state_hash;
    Coord__V1__Entry entries[MESSAGE_ENTRIES_MAX];
    Coord__V1__Entry *pointers[MESSAGE_ENTRIES_MAX];
};

static void put_entries(struct packed *p, const struct message *m, bool ballots)
{
    CHECK(m->entries_count <= MESSAGE_ENTRIES_MAX);
    for (uint32_t i = 0; i < m->entries_count; i++) {
        const struct log_entry *entry = &m->entries[i];
        Coord__V1__Entry *e = &p->entries[i];

        coord__v1__entry__init(e);
        e->slot = entry->slot;
        e->ballot = ballots ? entry->ballot : 0;
        e->kind = entry->kind;
        e->value.data = entry->value->data;
        e->value.len = entry->value->length;
        e->checksum = hash_bytes(entry->kind, blob_slice(entry->value));
        p->pointers[i] = e;
    }
}

static void put_promise(struct packed *p, const struct message *m)
{
    coord__v1__promise__init(&p->promise);
    p->promise.ballot = m->ballot;
    p->promise.chosen = m->chosen;
    p->promise.checkpoint = m->checkpoint;
    p->promise.done = m->done;
    p->promise.chunk = m->chunk;
    put_entries(p, m, true);
    p->promise.entries = p->pointers;
    p->promise.n_entries = m->entries_count;
    p->message.promise = &p->promise;
    p->message.body_case = COORD__V1__MESSAGE__BODY_PROMISE;
}

static void put_accept(struct packed *p, const struct message *m)
{
    coord__v1__accept__init(&p->accept);
    p->accept.ballot = m->ballot;
    p->accept.previous_slot = m->previous_slot;
    p->accept.chosen = m->chosen;
    p->accept.round = m->round;
    p->accept.healthy = m->healthy;
    p->accept.lease_ms = m->lease_ms;
    put_entries(p, m, false);
    p->accept.entries = p->pointers;
    p->accept.n_entries = m->entries_count;
    p->message.accept = &p->accept;
    p->message.body_case = COORD__V1__MESSAGE__BODY_ACCEPT;
}

static void put_accepted(struct packed *p, const struct message *m)
{
    coord__v1__accepted__init(&p->accepted);
    p->accepted.ballot = m->ballot;
    p->accepted.held = m->held;
    p->accepted.round = m->round;
    p->accepted.granted = m->granted;
    p->accepted.gap = m->gap;
    p->accepted.low = m->low;
    p->message.accepted = &p->accepted;
    p->message.body_case = COORD__V1__MESSAGE__BODY_ACCEPTED;
}

static void put_fetched(struct packed *p, const struct message *m)
{
    coord__v1__fetched__init(&p->fetched);
    p->fetched.first_slot = m->first_slot;
    p->fetched.checkpoint = m->checkpoint;
    put_entries(p, m, true);
    p->fetched.entries = p->pointers;
    p->fetched.n_entries = m->entries_count;
    p->message.fetched = &p->fetched;
    p->message.body_case = COORD__V1__MESSAGE__BODY_FETCHED;
}

static void put_transferred(struct packed *p, const struct message *m)
{
    Coord__V1__Transferred *t = &p->transferred;

    coord__v1__transferred__init(t);
    t->number = m->number;
    t->chunk = m->chunk;
    t->slot = m->first_slot;
    t->records.data = m->records->data;
    t->records.len = m->records->length;
    t->about.data = m->about->data;
    t->about.len = m->about->length;
    t->last = m->done;
    t->checksum = hash_bytes(m->first_slot, blob_slice(m->records));
    p->message.transferred = t;
    p->message.body_case = COORD__V1__MESSAGE__BODY_TRANSFERRED;
}

static void put_small(struct packed *p, const struct message *m)
{
    switch (m->kind) {
    case MESSAGE_PREPARE:
        coord__v1__prepare__init(&p->prepare);
        p->prepare.ballot = m->ballot;
        p->prepare.first_slot = m->first_slot;
        p->message.prepare = &p->prepare;
        p->message.body_case = COORD__V1__MESSAGE__BODY_PREPARE;
        break;
    case MESSAGE_REFUSED:
        coord__v1__refused__init(&p->refused);
        p->refused.ballot = m->ballot;
        p->refused.lease = m->lease;
        p->refused.stranger = m->stranger;
        p->message.refused = &p->refused;
        p->message.body_case = COORD__V1__MESSAGE__BODY_REFUSED;
        break;
    case MESSAGE_PROBE:
        coord__v1__probe__init(&p->probe);
        p->probe.number = m->number;
        p->message.probe = &p->probe;
        p->message.body_case = COORD__V1__MESSAGE__BODY_PROBE;
        break;
    case MESSAGE_PROBED:
        coord__v1__probed__init(&p->probed);
        p->probed.number = m->number;
        p->probed.happy = m->happy;
        p->probed.promised = m->ballot;
        p->probed.chosen = m->chosen;
        p->message.probed = &p->probed;
        p->message.body_case = COORD__V1__MESSAGE__BODY_PROBED;
        break;
    case MESSAGE_FETCH:
        coord__v1__fetch__init(&p->fetch);
        p->fetch.first_slot = m->first_slot;
        p->fetch.last_slot = m->last_slot;
        p->message.fetch = &p->fetch;
        p->message.body_case = COORD__V1__MESSAGE__BODY_FETCH;
        break;
    case MESSAGE_RELINQUISH:
        coord__v1__relinquish__init(&p->relinquish);
        p->relinquish.ballot = m->ballot;
        p->relinquish.heir = (uint32_t)m->number;
        p->message.relinquish = &p->relinquish;
        p->message.body_case = COORD__V1__MESSAGE__BODY_RELINQUISH;
        break;
    case MESSAGE_TRANSFER:
        coord__v1__transfer__init(&p->transfer);
        p->transfer.number = m->number;
        p->transfer.chunk = m->chunk;
        p->transfer.first_slot = m->first_slot;
        p->message.transfer = &p->transfer;
        p->message.body_case = COORD__V1__MESSAGE__BODY_TRANSFER;
        break;
    case MESSAGE_STATE_HASH:
        coord__v1__state_hash__init(&p->state_hash);
        p->state_hash.slot = m->first_slot;
        p->state_hash.first = m->hash[0];
        p->state_hash.second = m->hash[1];
        p->state_hash.encoding = (uint32_t)m->number;
        p->message.state_hash = &p->state_hash;
        p->message.body_case = COORD__V1__MESSAGE__BODY_STATE_HASH;
        break;
    case MESSAGE_PROMISE:
    case MESSAGE_ACCEPT:
    case MESSAGE_ACCEPTED:
    case MESSAGE_FETCHED:
    case MESSAGE_TRANSFERRED:
        CHECK(!"not a small message");
    }
}

static void put_message(struct packed *p, const struct message *m)
{
    coord__v1__message__init(&p->message);
    if (m->kind == MESSAGE_PROMISE)
        put_promise(p, m);
    else if (m->kind == MESSAGE_ACCEPT)
        put_accept(p, m);
    else if (m->kind == MESSAGE_ACCEPTED)
        put_accepted(p, m);
    else if (m->kind == MESSAGE_FETCHED)
        put_fetched(p, m);
    else if (m->kind == MESSAGE_TRANSFERRED)
        put_transferred(p, m);
    else
        put_small(p, m);
}

struct blob *peer_encode(const struct replica_config *config, const struct message *m)
{
    struct packed p;
    Coord__V1__Envelope envelope = COORD__V1__ENVELOPE__INIT;
    struct buffer head = BUFFER_INIT;
    size_t body_length, head_length;
    struct blob *blob;

    put_message(&p, m);
    body_length = coord__v1__message__get_packed_size(&p.message);
    envelope.cell.data = (uint8_t *)(uintptr_t)config->cell;
    envelope.cell.len = sizeof config->cell;
    envelope.epoch = PEER_EPOCH;
    envelope.from = config->self;
    envelope.incarnation = config->incarnation;
    head_length = coord__v1__envelope__get_packed_size(&envelope);
    coord__v1__envelope__pack(&envelope, buffer_extend(&head, head_length));
    /* The body goes behind as field 5, packed once and in its place. */
    wire_put_header(&head, 5, body_length);
    blob = blob_new(head.length + body_length);
    memcpy(blob->data, head.data, head.length);
    coord__v1__message__pack(&p.message, blob->data + head.length);
    buffer_release(&head);
    return blob;
}

/* ---- decoding ---- */

static bool take_entries(struct message *m, Coord__V1__Entry **entries, size_t count)
{
    if (count > MESSAGE_ENTRIES_MAX)
        return false;
    for (size_t i = 0; i < count; i++) {
        const Coord__V1__Entry *e = entries[i];
        struct slice value = slice_of(e->value.data, e->value.len);
        struct log_entry entry = {.slot = e->slot, .ballot = e->ballot, .kind = e->kind};
        bool added;

        if (e->kind < ENTRY_NOOP || e->kind > ENTRY_BATCH || e->slot == 0 ||
            (i > 0 && e->slot != entries[i - 1]->slot + 1) ||
            e->checksum != hash_bytes(e->kind, value))
            return false;
        entry.value = blob_copy(value);
        added = message_add(m, &entry);
        blob_unref(entry.value);
        if (!added)
            return false;
    }
    return true;
}

static bool take_with_entries(struct message *m, const Coord__V1__Message *p)
{
    if (p->body_case == COORD__V1__MESSAGE__BODY_PROMISE) {
        m->kind = MESSAGE_PROMISE;
        m->ballot = p->promise->ballot;
        m->chosen = p->promise->chosen;
        m->checkpoint = p->promise->checkpoint;
        m->done = p->promise->done;
        m->chunk = p->promise->chunk;
        return take_entries(m, p->promise->entries, p->promise->n_entries);
    }
    if (p->body_case == COORD__V1__MESSAGE__BODY_FETCHED) {
        m->kind = MESSAGE_FETCHED;
        m->first_slot = p->fetched->first_slot;
        m->checkpoint = p->fetched->checkpoint;
        return take_entries(m, p->fetched->entries, p->fetched->n_entries);
    }
    m->kind = MESSAGE_ACCEPT;
    m->ballot = p->accept->ballot;
    m->previous_slot = p->accept->previous_slot;
    m->chosen = p->accept->chosen;
    m->round = p->accept->round;
    m->healthy = p->accept->healthy;
    m->lease_ms = p->accept->lease_ms;
    if (!take_entries(m, p->accept->entries, p->accept->n_entries))
        return false;
    return m->entries_count == 0 || m->entries[0].slot == m->previous_slot + 1;
}

/* Numbers so large that counting on from them would wrap come from no replica. */
static bool in_range(const struct message *m)
{
    const uint64_t numbers[] = {m->ballot, m->first_slot, m->last_slot, m->previous_slot,
                                m->chosen, m->checkpoint, m->held,      m->round};

    for (size_t i = 0; i < sizeof numbers / sizeof *numbers; i++)
        if (numbers[i] > PEER_NUMBER_MAX)
            return false;
    for (uint32_t i = 0; i < m->entries_count; i++) {
        const struct log_entry *entry = &m->entries[i];

        if (entry->slot > PEER_NUMBER_MAX || entry->ballot > PEER_NUMBER_MAX ||
            (entry->kind == ENTRY_LEADER_START && entry->value->length != sizeof(uint64_t)))
            return false;
    }
    return m->lease_ms <= PEER_LEASE_MS_MAX;
}

static bool take_transferred(struct message *m, const Coord__V1__Transferred *t)
{
    struct slice records = slice_of(t->records.data, t->records.len);

    m->kind = MESSAGE_TRANSFERRED;
    m->number = t->number;
    m->chunk = t->chunk;
    m->first_slot = t->slot;
    m->done = t->last;
    if (t->checksum != hash_bytes(t->slot, records))
        return false;
    m->records = blob_copy(records);
    m->about = blob_copy(slice_of(t->about.data, t->about.len));
    return true;
}

static bool take_message(struct message *m, const Coord__V1__Message *p)
{
    switch (p->body_case) {
    case COORD__V1__MESSAGE__BODY_PROMISE:
    case COORD__V1__MESSAGE__BODY_FETCHED:
    case COORD__V1__MESSAGE__BODY_ACCEPT:
        return take_with_entries(m, p);
    case COORD__V1__MESSAGE__BODY_PREPARE:
        m->kind = MESSAGE_PREPARE;
        m->ballot = p->prepare->ballot;
        m->first_slot = p->prepare->first_slot;
        return m->first_slot > 0;
    case COORD__V1__MESSAGE__BODY_ACCEPTED:
        m->kind = MESSAGE_ACCEPTED;
        m->ballot = p->accepted->ballot;
        m->held = p->accepted->held;
        m->round = p->accepted->round;
        m->granted = p->accepted->granted;
        m->gap = p->accepted->gap;
        m->low = p->accepted->low;
        return true;
    case COORD__V1__MESSAGE__BODY_REFUSED:
        m->kind = MESSAGE_REFUSED;
        m->ballot = p->refused->ballot;
        m->lease = p->refused->lease;
        m->stranger = p->refused->stranger;
        return true;
    case COORD__V1__MESSAGE__BODY_PROBE:
        m->kind = MESSAGE_PROBE;
        m->number = p->probe->number;
        return true;
    case COORD__V1__MESSAGE__BODY_PROBED:
        m->kind = MESSAGE_PROBED;
        m->number = p->probed->number;
        m->happy = p->probed->happy;
        m->ballot = p->probed->promised;
        m->chosen = p->probed->chosen;
        return true;
    case COORD__V1__MESSAGE__BODY_FETCH:
        m->kind = MESSAGE_FETCH;
        m->first_slot = p->fetch->first_slot;
        m->last_slot = p->fetch->last_slot;
        return true;
    case COORD__V1__MESSAGE__BODY_RELINQUISH:
        m->kind = MESSAGE_RELINQUISH;
        m->ballot = p->relinquish->ballot;
        m->number = p->relinquish->heir;
        return true;
    case COORD__V1__MESSAGE__BODY_TRANSFER:
        m->kind = MESSAGE_TRANSFER;
        m->number = p->transfer->number;
        m->chunk = p->transfer->chunk;
        m->first_slot = p->transfer->first_slot;
        return true;
    case COORD__V1__MESSAGE__BODY_TRANSFERRED:
        return take_transferred(m, p->transferred);
    case COORD__V1__MESSAGE__BODY_STATE_HASH:
        m->kind = MESSAGE_STATE_HASH;
        m->first_slot = p->state_hash->slot;
        m->hash[0] = p->state_hash->first;
        m->hash[1] = p->state_hash->second;
        m->number = p->state_hash->encoding;
        return m->first_slot > 0;
    default:
        return false;
    }
}

bool peer_decode(const struct replica_config *config, struct arena *arena, struct slice bytes,
                 struct peer_envelope *ret_envelope, struct message *ret)
{
    ProtobufCAllocator allocator = arena_allocator(arena);
    Coord__V1__Envelope *envelope;
    Coord__V1__Message *message;
    bool sound = false;

    memset(ret, 0, sizeof *ret);
    envelope = coord__v1__envelope__unpack(&allocator, bytes.length, bytes.data);
    if (envelope == NULL || envelope->cell.len != sizeof config->cell ||
        memcmp(envelope->cell.data, config->cell, sizeof config->cell) != 0 ||
        envelope->epoch != PEER_EPOCH)
        goto out;
    ret_envelope->from = envelope->from;
    ret_envelope->incarnation = envelope->incarnation;
    message = coord__v1__message__unpack(&allocator, envelope->body.len, envelope->body.data);
    sound = message != NULL && take_message(ret, message) && in_range(ret);
    if (!sound)
        message_release(ret);
out:
    arena_reset(arena);
    return sound;
}
