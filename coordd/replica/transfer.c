/* transfer.c - see transfer.h. */
#include "coordd/replica/transfer.h"

#include <string.h>

#include "coordd/replica/chunk.h"
#include "coordd/replica/inner.h"
#include "coordd/replica/peer_codec.h"
#include "libcoord/base/check.h"

enum {
    ASK_AGAIN_MS = 500,   /* for a chunk that did not come */
    REPEATS_MAX = 6,      /* then another member is asked, from the beginning */
    FULL_PAUSE_MS = 5000, /* when there was no space for it */
    NEXT_TRY_MS = 200,    /* between two members */
    HOLD_MS = 30000,      /* a transfer that is not asked on for is given up */
    CHUNK_SENT_BYTES = 512 * 1024,
};

/* ---- sending messages ---- */

/* The bytes are the effect's. */
static struct blob *say(struct replica *r, uint32_t to, const struct message *m)
{
    struct effect *e = effects_add(r->out, EFFECT_SEND_PEER);

    e->peer = to;
    e->bytes = peer_encode(&r->config, m);
    return e->bytes;
}

/* ---- the one that asks ---- */

static void forget(struct transfer_in *in)
{
    state_free(in->state);
    buffer_release(&in->about);
    *in = (struct transfer_in){.source = in->source, .number = in->number};
}

static void ask(struct replica *r)
{
    struct transfer_in *in = &r->transfers.in;
    struct message m = {.kind = MESSAGE_TRANSFER, .number = in->number, .chunk = in->next_chunk};

    m.first_slot = paxos_needs(r->paxos);
    in->ask_again_ns = r->now_ns + ms_to_ns(ASK_AGAIN_MS);
    (void)say(r, in->source, &m);
}

/* The member behind `id` in the configuration, but never this one, nor one whose state
 * is known to be wrong. */
static uint32_t member_after(const struct replica *r, uint32_t id)
{
    uint32_t at = 0, count = r->config.members_count;

    while (at < count && r->config.members[at].id != id)
        at++;
    for (uint32_t i = 1; i <= count; i++) {
        uint32_t next = r->config.members[(at + i) % count].id;

        if (next != r->config.self && divergence_trusts(r, next))
            return next;
    }
    return 0;
}

/* Whatever came of it so far does not count. */
static void give_up(struct replica *r, const char *why)
{
    struct transfer_in *in = &r->transfers.in;
    bool begun = in->next_chunk > 0;

    replica_note(r, NOTE_PEER, in->source, why);
    forget(in);
    in->source = member_after(r, in->source);
    in->ask_again_ns = r->now_ns + ms_to_ns(NEXT_TRY_MS);
    if (begun) {
        effects_add(r->out, EFFECT_CHECKPOINT_ABORT);
        checkpoint_forget(r);
    }
}

static void start(struct replica *r)
{
    struct transfer_in *in = &r->transfers.in;
    uint32_t from;

    if (!paxos_behind(r->paxos, &from) || r->now_ns < in->ask_again_ns ||
        r->checkpoint.phase == CHECKPOINT_COMMITTING)
        return;
    if (in->source == 0 || !divergence_trusts(r, in->source))
        in->source = from != 0 && from != r->config.self && divergence_trusts(r, from)
                         ? from
                         : member_after(r, r->config.self);
    if (in->source == 0)
        return; /* a cell of one */
    in->phase = TRANSFER_ASKING;
    in->number = (uint64_t)r->now_ns > in->number ? (uint64_t)r->now_ns : in->number + 1;
    in->next_chunk = in->repeats = 0;
    ask(r);
}

/* The first chunk: from here on a checkpoint of our own is under way. */
static void take_over(struct replica *r, const struct message *m)
{
    struct transfer_in *in = &r->transfers.in;

    if (r->checkpoint.phase == CHECKPOINT_WRITING) {
        effects_add(r->out, EFFECT_CHECKPOINT_ABORT);
        checkpoint_forget(r);
    }
    r->checkpoint.phase = CHECKPOINT_TAKEN_OVER;
    effects_add(r->out, EFFECT_CHECKPOINT_BEGIN)->whole = true;
    in->slot = m->first_slot;
    in->state = state_new(r->config.cell);
    buffer_put(&in->about, m->about->data, m->about->length);
}

static bool load(struct transfer_in *in, struct slice records)
{
    struct reader reader = reader_of(records);
    struct chunk_record record;

    while (chunk_next(&reader, &record))
        if (record.removed || state_load_record(in->state, record.key, record.value) != ERR_OK)
            return false;
    return reader_done(&reader);
}

static bool is_whole(const struct replica *r)
{
    const struct transfer_in *in = &r->transfers.in;
    struct checkpoint_about about;

    return state_loaded(in->state) == ERR_OK &&
           checkpoint_read_about(buffer_slice(&in->about), &about) && about.slot == in->slot &&
           checkpoint_is_of(r, &about, in->state);
}

static void take_chunk(struct replica *r, const struct message *m)
{
    struct transfer_in *in = &r->transfers.in;
    struct effect *e;

    if (m->first_slot == 0 || m->about == NULL || m->records == NULL ||
        (in->next_chunk == 0 && m->first_slot < paxos_needs(r->paxos))) {
        give_up(r, "was asked for its state, and has none that is of use");
        return;
    }
    if (in->next_chunk == 0)
        take_over(r, m);
    in->next_chunk++;
    in->repeats = 0;
    if (m->first_slot != in->slot || !load(in, blob_slice(m->records))) {
        give_up(r, "sent what is no state");
        return;
    }
    e = effects_add(r->out, EFFECT_CHECKPOINT_PUT);
    e->bytes = blob_ref(m->records);
    r->checkpoint.puts++;
    if (!m->done) {
        in->owed = r->checkpoint.puts >= CHECKPOINT_PUTS_MAX;
        if (!in->owed)
            ask(r);
        return;
    }
    if (!is_whole(r)) {
        give_up(r, "sent a state that is not what it says");
        return;
    }
    e = effects_add(r->out, EFFECT_CHECKPOINT_COMMIT);
    e->last_slot = in->slot;
    e->bytes = blob_copy(buffer_slice(&in->about));
    in->phase = TRANSFER_SAVING;
}

void transfer_room(struct replica *r)
{
    struct transfer_in *in = &r->transfers.in;

    if (in->phase == TRANSFER_ASKING && in->owed && r->checkpoint.puts < CHECKPOINT_PUTS_MAX) {
        in->owed = false;
        ask(r);
    }
}

bool transfer_saved(struct replica *r, uint64_t slot)
{
    struct transfer_in *in = &r->transfers.in;

    if (in->phase != TRANSFER_SAVING || slot != in->slot)
        return false;
    in->phase = TRANSFER_ARRIVED;
    return true;
}

void transfer_lost(struct replica *r)
{
    struct transfer_in *in = &r->transfers.in;

    if (r->checkpoint.phase != CHECKPOINT_TAKEN_OVER)
        return;
    forget(in);
    in->ask_again_ns = r->now_ns + ms_to_ns(FULL_PAUSE_MS); /* the sender has its part of it too */
}

/* The new state is durable: from now on it is the state. */
static void install(struct replica *r)
{
    struct transfer_in *in = &r->transfers.in;
    struct paxos_event e = {.kind = PAXOS_EVENT_INSTALL, .now_ns = r->now_ns, .slot = in->slot};
    struct checkpoint_about about;

    CHECK(checkpoint_read_about(buffer_slice(&in->about), &about)); /* is_whole() said so */
    e.bytes = about.membership;
    state_free(r->state);
    r->state = in->state;
    in->state = NULL;
    checkpoint_loaded(r, &about);
    paxos_step(r->paxos, &e, &r->owed);
    replica_note(r, NOTE_WARNING, in->slot, "took the state of another member, up to the slot");
    divergence_installed(r, in->slot);
    forget(in);
    in->source = 0;
}

static void arrived(struct replica *r)
{
    struct transfer_in *in = &r->transfers.in;

    bool trusted = divergence_trusts(r, in->source);

    if (trusted && paxos_can_install(r->paxos, in->slot)) {
        install(r);
    } else if (!trusted || paxos_lost(r->paxos) ? in->slot < paxos_needs(r->paxos)
                                                : in->slot <= paxos_applied(r->paxos)) {
        /* The log was found elsewhere, or the state, or its sender's, turned out to be wrong
         * meanwhile. What is saved is a checkpoint like any other, but it is not what the present
         * state's changes count from. */
        r->checkpoint.slot = in->slot;
        checkpoint_forget(r);
        forget(in);
        in->source = 0;
    }
}

/* ---- the one that is asked ---- */

static void end(struct replica *r, struct transfer_out *t)
{
    struct effect *e = effects_add(r->out, EFFECT_READ_CHECKPOINT);

    e->token = t->token; /* bytes_max 0: it is read no more */
    blob_unref(t->last);
    *t = (struct transfer_out){0};
}

static void read_on(struct replica *r, struct transfer_out *t)
{
    struct effect *e = effects_add(r->out, EFFECT_READ_CHECKPOINT);

    e->token = t->token;
    e->bytes_max = CHUNK_SENT_BYTES;
    t->reading = true;
}

static struct transfer_out *out_to(struct replica *r, uint32_t peer)
{
    struct transfer_out *free_one = NULL;

    for (uint32_t i = 0; i < CHECKPOINT_READERS_MAX; i++) {
        struct transfer_out *t = &r->transfers.out[i];

        if (t->peer == peer)
            return t;
        if (t->peer == 0)
            free_one = t;
    }
    return free_one;
}

static void refuse(struct replica *r, uint32_t to, const struct message *asked)
{
    struct message m = {
        .kind = MESSAGE_TRANSFERRED, .number = asked->number, .chunk = asked->chunk, .done = true};

    m.records = blob_new(0);
    m.about = blob_new(0);
    (void)say(r, to, &m);
    message_release(&m);
}

static void asked(struct replica *r, uint32_t from, const struct message *m)
{
    struct transfer_out *t = out_to(r, from);

    if (m->chunk == 0 && (r->checkpoint.slot < m->first_slot || divergence_found(r))) {
        checkpoint_want(r, m->first_slot);
        refuse(r, from, m);
        return;
    }
    if (t == NULL)
        return; /* it asks again, or asks another */
    if (t->peer != 0 && t->number == m->number && m->chunk + 1 == t->next_chunk && !t->reading &&
        t->last != NULL) {
        struct effect *e = effects_add(r->out, EFFECT_SEND_PEER);

        e->peer = from;
        e->bytes = blob_ref(t->last);
        t->until_ns = r->now_ns + ms_to_ns(HOLD_MS);
        return;
    }
    if (m->chunk == 0 && (t->peer == 0 || t->number != m->number || t->next_chunk > 0)) {
        if (t->peer != 0)
            end(r, t);
        t->peer = from;
        t->number = m->number;
        t->token = ++r->transfers.last_token;
    }
    if (t->peer == 0 || t->number != m->number || m->chunk != t->next_chunk || t->reading ||
        t->done)
        return;
    t->until_ns = r->now_ns + ms_to_ns(HOLD_MS);
    read_on(r, t);
}

void transfer_read(struct replica *r, const struct replica_event *e)
{
    for (uint32_t i = 0; i < CHECKPOINT_READERS_MAX; i++) {
        struct transfer_out *t = &r->transfers.out[i];
        struct message m = {.kind = MESSAGE_TRANSFERRED, .number = t->number};

        if (t->peer == 0 || t->token != e->token || !t->reading)
            continue;
        m.chunk = t->next_chunk;
        m.first_slot = e->slot;
        m.done = e->last;
        m.records = blob_copy(e->bytes);
        m.about = blob_copy(e->about);
        t->reading = false;
        t->slot = e->slot;
        t->done = e->last;
        t->next_chunk++;
        blob_unref(t->last);
        t->last = blob_ref(say(r, t->peer, &m));
        message_release(&m);
        if (e->slot == 0)
            end(r, t);
        return;
    }
}

void transfer_withdraw(struct replica *r)
{
    if (r->transfers.in.phase == TRANSFER_ASKING)
        give_up(r, "is asked no more for that state: a later one is needed");
    for (uint32_t i = 0; i < CHECKPOINT_READERS_MAX; i++)
        if (r->transfers.out[i].peer != 0)
            end(r, &r->transfers.out[i]);
}

uint64_t transfer_holds(const struct replica *r)
{
    uint64_t slot = UINT64_MAX;

    for (uint32_t i = 0; i < CHECKPOINT_READERS_MAX; i++) {
        const struct transfer_out *t = &r->transfers.out[i];

        if (t->peer != 0 && t->slot != 0 && t->slot < slot)
            slot = t->slot;
    }
    return slot;
}

/* ---- both ---- */

void transfer_message(struct replica *r, uint32_t from, const struct message *m)
{
    const struct transfer_in *in = &r->transfers.in;

    if (m->kind == MESSAGE_TRANSFER)
        asked(r, from, m);
    else if (in->phase == TRANSFER_ASKING && from == in->source && m->number == in->number &&
             m->chunk == in->next_chunk && !in->owed)
        take_chunk(r, m);
}

void transfer_step(struct replica *r)
{
    struct transfer_in *in = &r->transfers.in;

    if (in->phase == TRANSFER_NONE) {
        start(r);
    } else if (in->phase == TRANSFER_ARRIVED) {
        arrived(r);
    } else if (in->phase == TRANSFER_ASKING && !in->owed && r->now_ns >= in->ask_again_ns) {
        if (++in->repeats > REPEATS_MAX)
            give_up(r, "was asked for its state and does not answer");
        else
            ask(r);
    }
    for (uint32_t i = 0; i < CHECKPOINT_READERS_MAX; i++) {
        struct transfer_out *t = &r->transfers.out[i];

        if (t->peer != 0 && r->now_ns >= t->until_ns)
            end(r, t);
    }
}

int64_t transfer_wake_at(const struct replica *r)
{
    const struct transfer_in *in = &r->transfers.in;
    int64_t at = NEVER_NS;
    uint32_t from;

    if (in->phase == TRANSFER_ASKING && !in->owed)
        at = in->ask_again_ns;
    else if (in->phase == TRANSFER_NONE && paxos_behind(r->paxos, &from))
        at = ns_max(in->ask_again_ns, r->now_ns + ms_to_ns(1));
    for (uint32_t i = 0; i < CHECKPOINT_READERS_MAX; i++)
        if (r->transfers.out[i].peer != 0)
            at = ns_min(at, r->transfers.out[i].until_ns);
    return at;
}

void transfer_release(struct replica *r)
{
    forget(&r->transfers.in);
    for (uint32_t i = 0; i < CHECKPOINT_READERS_MAX; i++)
        blob_unref(r->transfers.out[i].last);
}
