/* checkpoint.c - the state, saved piece by piece while it goes on changing.
 *
 * In each step some of what changed is handed to the checkpoint's thread, and
 * counts as saved; what changes again is handed over again. As soon as nothing is
 * left, what was handed over is the state as it is at that moment, and the
 * transaction is committed under the slot applied last. So nothing is copied, no
 * step does more than a little, and the work grows with what changed. Should
 * changes come faster than they are written, a last lot is handed over at once.
 *
 * Behind a durable checkpoint the log is cut, but for what those who were away
 * for a moment may ask for, and not above a checkpoint that is being sent. */
#include "coordd/replica/checkpoint.h"

#include "coordd/replica/chunk.h"
#include "coordd/replica/inner.h"

enum {
    CHECKPOINT_SLOTS = 50000, /* defaults of the configuration */
    CHECKPOINT_BYTES = 32 * 1024 * 1024,
    LOG_KEEP_SLOTS = 20000,
    STEP_BYTES = 64 * 1024,
    RECORD_BYTES_GUESSED = 32, /* so few changes as fill a step are handed over at once */
    PATIENCE_TURNS = 3,        /* what there was at first, so often over: hand all over */
    RETRY_MS = 5000,           /* when there was no space */
    LOW_EVERY_MS = 5000,       /* while the disk is full: so that what was deleted gives way */
    LOW_KEEP_SLOTS = 1000,     /* in the log, then, with so many */
    LOW_KEEP_BYTES = 4 * 1024 * 1024,
    CHANGE_BYTES = 4096,  /* that a change may take: a page */
    ROOM_SHARE = 4,       /* of the space that there is, by which one is begun */
    ROOM_SHARE_WHILE = 2, /* ... and by which it takes all there is, and ends */
    BYTES_FACTOR = 4,     /* what values need: in the -wal, in the database, in the log */
    NEEDS_STEPS_MIN = 16, /* of what a step hands over: less is not worth one */
    ABOUT_VERSION = 2,
    ABOUT_VERSION_MUTE = 1, /* it does not say with which encoding its hash was made */
};

void checkpoint_init(struct checkpointer *c, struct replica_config *config)
{
    *c = (struct checkpointer){.phase = CHECKPOINT_IDLE, .whole = true};
    if (config->checkpoint_slots == 0)
        config->checkpoint_slots = CHECKPOINT_SLOTS;
    if (config->checkpoint_bytes == 0)
        config->checkpoint_bytes = CHECKPOINT_BYTES;
    if (config->checkpoint_step_bytes == 0)
        config->checkpoint_step_bytes = STEP_BYTES;
    if (config->log_keep_slots == 0)
        config->log_keep_slots = LOG_KEEP_SLOTS;
}

/* ---- what is kept beside the records ---- */

void checkpoint_put_about(const struct replica *r, struct buffer *about)
{
    struct buffer membership = BUFFER_INIT;
    uint64_t hash[2];

    state_hash(r->state, hash);
    paxos_put_membership(r->paxos, &membership);
    buffer_put_u32(about, ABOUT_VERSION);
    buffer_put_u32(about, r->config.state_encoding);
    buffer_put_u64(about, paxos_applied(r->paxos));
    buffer_put_u64(about, hash[0]);
    buffer_put_u64(about, hash[1]);
    buffer_put_slice(about, buffer_slice(&membership));
    buffer_release(&membership);
}

bool checkpoint_read_about(struct slice bytes, struct checkpoint_about *ret)
{
    struct reader r = reader_of(bytes);
    uint32_t version = reader_u32(&r);

    ret->encoding = version == ABOUT_VERSION ? reader_u32(&r) : 0;
    ret->slot = reader_u64(&r);
    ret->hash[0] = reader_u64(&r);
    ret->hash[1] = reader_u64(&r);
    ret->membership = reader_slice(&r);
    return reader_done(&r) && ret->slot > 0 &&
           (version == ABOUT_VERSION_MUTE || (version == ABOUT_VERSION && ret->encoding > 0));
}

/* One of an earlier version is judged like one of this encoding. */
static bool is_comparable(const struct replica *r, const struct checkpoint_about *about)
{
    return about->encoding == 0 || about->encoding == r->config.state_encoding;
}

bool checkpoint_is_of(const struct replica *r, const struct checkpoint_about *about,
                      const struct state *state)
{
    uint64_t hash[2];

    state_hash(state, hash);
    return !is_comparable(r, about) || (hash[0] == about->hash[0] && hash[1] == about->hash[1]);
}

/* What another encoding made is written anew as a whole, with the hash of this one. */
void checkpoint_loaded(struct replica *r, const struct checkpoint_about *about)
{
    struct checkpointer *c = &r->checkpoint;

    c->slot = c->slot_before = about->slot;
    c->past_count = 0;
    c->phase = CHECKPOINT_IDLE;
    c->slots = c->bytes = c->bytes_under_way = 0;
    c->whole = false;
    if (!is_comparable(r, about))
        checkpoint_forget(r);
}

/* ---- writing ---- */

void checkpoint_applied(struct replica *r, const struct log_entry *entry)
{
    r->checkpoint.slots++;
    r->checkpoint.bytes += entry->value->length;
}

static void put(void *chunk, struct slice key, struct slice value)
{
    if (value.data == NULL)
        chunk_remove(chunk, key);
    else
        chunk_put(chunk, key, value);
}

static void hand_over(struct replica *r, size_t bytes)
{
    struct checkpointer *c = &r->checkpoint;
    struct buffer chunk = BUFFER_INIT;
    size_t before = state_changes(r->state);

    state_take_changes(r->state, bytes, put, &chunk);
    c->handed_over += before - state_changes(r->state);
    effects_add(r->out, EFFECT_CHECKPOINT_PUT)->bytes = blob_copy(buffer_slice(&chunk));
    c->puts++;
    buffer_release(&chunk);
}

static void commit(struct replica *r)
{
    struct checkpointer *c = &r->checkpoint;
    struct buffer about = BUFFER_INIT;
    struct effect *e = effects_add(r->out, EFFECT_CHECKPOINT_COMMIT);

    checkpoint_put_about(r, &about);
    e->last_slot = paxos_applied(r->paxos);
    e->bytes = blob_copy(buffer_slice(&about));
    buffer_release(&about);
    c->bytes_under_way += c->bytes;
    c->bytes = 0;
    c->phase = CHECKPOINT_COMMITTING;
}

static void begin(struct replica *r)
{
    struct checkpointer *c = &r->checkpoint;

    effects_add(r->out, EFFECT_CHECKPOINT_BEGIN)->whole = c->whole;
    state_changes_begin(r->state, !c->whole);
    c->whole = c->wanted = false;
    c->phase = CHECKPOINT_WRITING;
    c->bytes_under_way += c->bytes;
    c->slots = c->bytes = 0;
    c->room = r->room;
    c->low_at_ns = r->now_ns + ms_to_ns(LOW_EVERY_MS);
    c->handed_over = 0;
    c->at_first = state_changes(r->state);
}

static bool may_begin(const struct replica *r)
{
    return r->checkpoint.phase == CHECKPOINT_IDLE && r->transfers.in.phase == TRANSFER_NONE &&
           !paxos_lost(r->paxos) &&
           paxos_applied(r->paxos) >
               0; /* there is a state; the count of slots may say so too early */
}

static uint64_t needs_min(const struct replica *r)
{
    return (uint64_t)r->config.checkpoint_step_bytes * NEEDS_STEPS_MIN;
}

/* What a checkpoint of so many changes would take at most, about: its -wal, and what the
 * database grows by. It must begin, and end, while there is room for it. */
static bool fills(const struct replica *r, uint64_t changes, uint64_t room)
{
    uint64_t bytes = r->checkpoint.bytes + r->checkpoint.bytes_under_way;
    uint64_t needs = changes * CHANGE_BYTES + 2 * bytes;

    return needs >= needs_min(r) && needs >= room;
}

static bool is_due(const struct replica *r)
{
    const struct checkpointer *c = &r->checkpoint;

    return may_begin(r) && r->now_ns >= c->retry_at_ns &&
           (c->wanted || c->slots >= r->config.checkpoint_slots ||
            c->bytes >= r->config.checkpoint_bytes ||
            (r->low && c->slots > 0 && r->now_ns >= c->low_at_ns) ||
            (c->slots > 0 && fills(r, state_changes(r->state), r->room / ROOM_SHARE)));
}

/* The disk counts as full while what is not saved, were it more, might not find room. */
static void judge_space(struct replica *r)
{
    struct checkpointer *c = &r->checkpoint;
    struct paxos_event e = {.kind = PAXOS_EVENT_SPACE, .now_ns = r->now_ns};
    uint64_t needs = (c->bytes + c->bytes_under_way) * BYTES_FACTOR;

    c->outgrown = needs >= needs_min(r) && needs >= (c->outgrown ? r->room / 2 : r->room);
    e.low = r->disk_low || c->outgrown;
    if (e.low == r->low)
        return;
    r->low = e.low;
    c->low_at_ns = r->now_ns; /* save it while there is room for that */
    replica_note(r, NOTE_WARNING, r->config.self,
                 e.low ? "the disk is full: going on with what was kept back for that"
                       : "there is space on the disk again");
    paxos_step(r->paxos, &e, &r->owed);
}

void checkpoint_step(struct replica *r)
{
    struct checkpointer *c = &r->checkpoint;
    size_t left;

    judge_space(r);
    if (is_due(r))
        begin(r);
    if (c->phase != CHECKPOINT_WRITING || r->transfers.in.phase != TRANSFER_NONE)
        return;
    left = state_changes(r->state);
    if (left > r->config.checkpoint_step_bytes / RECORD_BYTES_GUESSED &&
        c->handed_over <= c->at_first * PATIENCE_TURNS &&
        !fills(r, c->handed_over + left, c->room / ROOM_SHARE_WHILE)) {
        if (c->puts < CHECKPOINT_PUTS_MAX)
            hand_over(r, r->config.checkpoint_step_bytes);
        return;
    }
    while (state_changes(r->state) > 0)
        hand_over(r, CHUNK_BYTES);
    commit(r);
}

void checkpoint_want(struct replica *r, uint64_t slot)
{
    struct checkpointer *c = &r->checkpoint;

    if (c->slot < slot && paxos_applied(r->paxos) >= slot)
        c->wanted = true;
}

int64_t checkpoint_wake_at(const struct replica *r)
{
    const struct checkpointer *c = &r->checkpoint;

    if (c->phase == CHECKPOINT_WRITING && c->puts < CHECKPOINT_PUTS_MAX &&
        r->transfers.in.phase == TRANSFER_NONE)
        return r->now_ns;
    if (may_begin(r) && r->low && c->slots > 0)
        return ns_max(c->low_at_ns, c->retry_at_ns);
    return NEVER_NS;
}

/* ---- what the storage says ---- */

/* The earliest of the last checkpoints behind which no more than that is kept. While the
 * disk is full they come often: up to the one before the last would be next to nothing, and
 * who restarts would need a whole state, for which there may be no space. */
static uint64_t low_keeps_from(const struct checkpointer *c, uint64_t keep)
{
    uint64_t from = c->slot_before, bytes = 0;

    for (uint64_t k = 1; k <= c->past_count && k <= CHECKPOINT_PAST_MAX; k++) {
        uint64_t at = (c->past_count - k) % CHECKPOINT_PAST_MAX;

        bytes += c->past[at].bytes;
        if (c->slot - c->past[at].slot > keep || bytes > LOW_KEEP_BYTES)
            break;
        from = c->past[at].slot;
    }
    return from;
}

/* Slots to here may be forgotten. */
static void cut(struct replica *r)
{
    struct checkpointer *c = &r->checkpoint;
    struct paxos_event e = {.kind = PAXOS_EVENT_CUT, .now_ns = r->now_ns};
    uint64_t keep = r->config.log_keep_slots, least = c->slot_before;

    if (r->low && keep > LOW_KEEP_SLOTS)
        keep = LOW_KEEP_SLOTS;
    if (r->low)
        least = low_keeps_from(c, keep);
    e.slot = c->slot > keep ? c->slot - keep : 0;
    if (e.slot < least)
        e.slot = least;
    e.slot = e.slot < transfer_holds(r) ? e.slot : transfer_holds(r);
    if (e.slot > paxos_floor(r->paxos))
        paxos_step(r->paxos, &e, &r->owed);
}

void checkpoint_saved(struct replica *r, uint64_t slot)
{
    struct checkpointer *c = &r->checkpoint;

    c->phase = CHECKPOINT_IDLE;
    c->past[c->past_count % CHECKPOINT_PAST_MAX].slot = c->slot;
    c->past[c->past_count++ % CHECKPOINT_PAST_MAX].bytes = c->bytes_under_way;
    c->slot_before = c->slot;
    c->slot = slot;
    c->bytes_under_way = 0;
    state_changes_saved(r->state);
    cut(r);
}

void checkpoint_taken(struct replica *r)
{
    if (r->checkpoint.puts > 0)
        r->checkpoint.puts--;
}

static void unsaved(struct checkpointer *c)
{
    c->bytes += c->bytes_under_way;
    c->bytes_under_way = 0;
    c->phase = CHECKPOINT_IDLE;
}

void checkpoint_forget(struct replica *r)
{
    state_unclean(r->state);
    r->checkpoint.whole = true;
    unsaved(&r->checkpoint);
}

void checkpoint_space(struct replica *r, bool low, uint64_t room)
{
    r->disk_low = low;
    r->room = room;
    judge_space(r);
}

void checkpoint_lost(struct replica *r)
{
    struct checkpointer *c = &r->checkpoint;
    bool kept = c->phase != CHECKPOINT_TAKEN_OVER && state_changes_lost(r->state);

    replica_note(r, NOTE_WARNING, c->slot,
                 "no space for a checkpoint; the last one is of the slot");
    if (kept)
        unsaved(c);
    else
        checkpoint_forget(r);
    c->puts = 0;
    c->slots = r->config.checkpoint_slots; /* it stays due */
    c->retry_at_ns = r->now_ns + ms_to_ns(RETRY_MS);
}
