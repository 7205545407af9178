/* cell.c - see cell.h. */
#include "tests/fuzz/cell.h"

#include <stdlib.h>
#include <string.h>

#include "coord/v1/coord.pb-c.h"
#include "coordd/paxos/paxos.h"
#include "coordd/replica/peer_codec.h"
#include "coordd/state/state.h"
#include "libcoord/base/units.h"
#include "tests/fuzz/fuzz.h"
#include "tests/fuzz/peer_mend.h"

enum { STEPS_TO_SERVE = 500, ARENA_BYTES = 16 * 1024 * 1024, READS_MAX = 16 };
/* Small, so that there are checkpoints, in pieces. */
enum { CHECKPOINT_SLOTS = 6, KEEP_SLOTS = 2, STEP_BYTES = 300, CHUNK_READ_BYTES = 300 };
enum { SAVER_JOBS_MAX = 200 };

void (*cell_overhears)(struct slice envelope);

/* ---- effects ---- */

static const ProtobufCMessageDescriptor *type_of(enum replica_stream_kind kind)
{
    switch (kind) {
    case REPLICA_STREAM_SESSION:
        return &coord__v1__session_reply__descriptor;
    case REPLICA_STREAM_KEEPALIVE:
        return &coord__v1__keep_alive_reply__descriptor;
    case REPLICA_STREAM_EXECUTE:
        break;
    }
    return &coord__v1__answer__descriptor;
}

static void judge_peer(struct cell *c, const struct effect *e)
{
    struct arena arena;
    struct peer_envelope envelope;
    struct message m;

    arena_init(&arena, ARENA_BYTES);
    DEMAND(e->peer != c->config.self && e->peer <= c->config.members_count);
    DEMAND(peer_decode(&c->config, &arena, blob_slice(e->bytes), &envelope, &m));
    if (cell_overhears != NULL)
        cell_overhears(blob_slice(e->bytes));
    if (m.kind == MESSAGE_TRANSFER)
        c->asked = m.number;
    message_release(&m);
    arena_release(&arena);
}

static void write_entry(struct cell *c, const struct log_entry *entry)
{
    struct log_entry *row;

    DEMAND(entry->slot > 0 && entry->slot <= c->rows_count + 1);
    if (entry->slot > CELL_ROWS_MAX) {
        c->over = true;
        return;
    }
    row = &c->rows[entry->slot - 1];
    if (entry->slot > c->rows_count)
        c->rows_count++;
    else
        blob_unref(row->value);
    *row = *entry;
    blob_ref(row->value);
}

static void raise_floor(struct cell *c, uint64_t floor)
{
    if (floor > CELL_ROWS_MAX) {
        c->over = true;
        return;
    }
    DEMAND(floor >= c->durable.floor);
    c->durable.floor = floor;
    if (c->rows_count < floor)
        c->rows_count = (uint32_t)floor;
}

static void write_effect(struct cell *c, const struct effect *e)
{
    if (e->kind == EFFECT_PERSIST_PROMISE)
        c->durable.promised = e->ballot;
    else if (e->kind == EFFECT_PERSIST_LEASE)
        c->durable.longest_lease_ms = e->lease_ms;
    else if (e->kind == EFFECT_PERSIST_FLOOR)
        raise_floor(c, e->last_slot);
    else
        write_entry(c, &e->entry);
}

static void persist(struct cell *c, const struct effect *e)
{
    struct effect *kept = effects_add(&c->waiting, e->kind);

    kept->ballot = e->ballot;
    kept->lease_ms = e->lease_ms;
    kept->last_slot = e->last_slot;
    kept->entry = e->entry;
    if (kept->entry.value != NULL)
        blob_ref(kept->entry.value);
    if (c->waiting.count == 1)
        c->waiting_first = e->sequence;
    c->waiting_last = e->sequence;
}

static void read_log(struct cell *c, uint64_t token, uint64_t first, uint64_t last)
{
    struct replica_event e = {.kind = REPLICA_EVENT_LOG_READ, .token = token};

    if (last > c->rows_count)
        last = c->rows_count;
    if (first > c->durable.floor && first <= last) {
        e.entries = &c->rows[first - 1];
        e.entries_count = (uint32_t)(last - first + 1);
    }
    cell_step(c, e);
}

/* What is answered at once, when all of the step was carried out. */
struct owed {
    const struct effect *reads[READS_MAX];
    uint32_t reads_count;
    uint64_t closed[CELL_STREAMS_MAX];
    uint32_t closed_count;
};

static void carry_out(struct cell *c, const struct effects *out, struct owed *owed)
{
    for (uint32_t i = 0; i < out->count; i++) {
        const struct effect *e = &out->list[i];
        struct cell_stream *s = &c->streams[e->stream < CELL_STREAMS_MAX ? e->stream : 0];

        switch (e->kind) {
        case EFFECT_PERSIST_PROMISE:
        case EFFECT_PERSIST_LEASE:
        case EFFECT_PERSIST_ENTRY:
        case EFFECT_PERSIST_FLOOR:
            persist(c, e);
            break;
        case EFFECT_CHECKPOINT_BEGIN:
        case EFFECT_CHECKPOINT_PUT:
        case EFFECT_CHECKPOINT_COMMIT:
        case EFFECT_CHECKPOINT_ABORT:
        case EFFECT_READ_CHECKPOINT:
            DEMAND(saver_hand_over(&c->saver, e));
            break;
        case EFFECT_SEND_PEER:
            judge_peer(c, e);
            break;
        case EFFECT_SEND_STREAM:
            DEMAND(s->open);
            DEMAND(fuzz_is_message(type_of(s->kind), blob_slice(e->bytes)));
            break;
        case EFFECT_CLOSE_STREAM:
            DEMAND(s->open);
            s->open = false;
            owed->closed[owed->closed_count++] = e->stream;
            break;
        case EFFECT_READ_LOG:
            if (owed->reads_count < READS_MAX)
                owed->reads[owed->reads_count++] = e;
            break;
        case EFFECT_NOTE:
            break;
        case EFFECT_HALT:
            c->over = true;
            break;
        }
    }
}

static void tell_of_checkpoint(struct cell *c, const struct saver_said *said)
{
    struct replica_event e = {.kind = said->kind, .slot = said->slot, .token = said->token};

    if (said->kind == REPLICA_EVENT_TIME)
        return;
    if (said->kind == REPLICA_EVENT_CHECKPOINT_READ) {
        e.bytes = blob_slice(said->bytes);
        e.about = blob_slice(said->about);
        e.last = said->last;
    }
    cell_step(c, e);
}

static void save(struct cell *c)
{
    for (int i = 0; i < SAVER_JOBS_MAX && !c->stuck && saver_first(&c->saver) != NULL; i++) {
        struct saver_said said = saver_done(&c->saver, CHUNK_READ_BYTES);

        tell_of_checkpoint(c, &said);
        blob_unref(said.bytes);
        blob_unref(said.about);
    }
}

void cell_step(struct cell *c, struct replica_event event)
{
    struct effects out;
    struct owed owed = {.reads_count = 0};

    if (c->over)
        return;
    c->depth++;
    event.now_ns = c->now_ns;
    event.wall_ms = c->now_ns / NS_PER_MS;
    effects_init(&out);
    replica_step(c->replica, &event, &out);
    c->wake_at_ns = out.wake_at_ns;
    DEMAND(paxos_check(replica_paxos(c->replica)) == NULL);
    carry_out(c, &out, &owed);
    for (uint32_t i = 0; i < owed.closed_count; i++)
        cell_step(c, (struct replica_event){.kind = REPLICA_EVENT_STREAM_CLOSED,
                                            .stream = owed.closed[i]});
    for (uint32_t i = 0; i < owed.reads_count; i++)
        read_log(c, owed.reads[i]->token, owed.reads[i]->first_slot, owed.reads[i]->last_slot);
    effects_release(&out);
    if (!c->stuck)
        cell_unstick(c, false);
    if (--c->depth == 0)
        save(c);
}

void cell_unstick(struct cell *c, bool full)
{
    struct replica_event e = {.kind = full ? REPLICA_EVENT_PERSIST_FULL : REPLICA_EVENT_PERSISTED};

    if (full != c->low) {
        c->low = full;
        cell_step(c, (struct replica_event){
                         .kind = REPLICA_EVENT_SPACE, .low = full, .room = full ? 0 : UINT64_MAX});
    }
    c->stuck = full; /* and then what is handed out anew waits again */
    if (full && saver_first(&c->saver) != NULL) {
        saver_refuse(&c->saver);
        cell_step(c, (struct replica_event){.kind = REPLICA_EVENT_CHECKPOINT_LOST});
        saver_accept_again(&c->saver);
    }
    if (c->waiting.count == 0 || c->over)
        return;
    if (!full)
        for (uint32_t i = 0; i < c->waiting.count; i++)
            write_effect(c, &c->waiting.list[i]);
    e.sequence = full ? c->waiting_first : c->waiting_last;
    for (uint32_t i = 0; i < c->waiting.count; i++)
        blob_unref(c->waiting.list[i].entry.value);
    c->waiting.count = 0;
    cell_step(c, e);
}

/* ---- life ---- */

static void load_checkpoint(struct cell *c)
{
    const struct image *image = c->saver.durable;
    const char *why;

    if (image == NULL)
        return;
    DEMAND(replica_load_checkpoint(c->replica, image->slot, blob_slice(image->about), &why) ==
           ERR_OK);
    for (struct avl_node *at = avl_first(&image->records); at != NULL; at = avl_next(at)) {
        const struct image_record *record = container_of(at, struct image_record, by_key);

        DEMAND(replica_load_record(c->replica, record->key, record->value) == ERR_OK);
    }
    DEMAND(replica_load_checkpoint_end(c->replica) == ERR_OK);
}

/* The log is loaded behind it. */
static uint64_t base_of(const struct cell *c)
{
    uint64_t saved = saver_slot(&c->saver);

    return saved > c->durable.floor ? saved : c->durable.floor;
}

static void start(struct cell *c)
{
    const char *why = NULL;

    c->durable.last_slot = c->rows_count;
    DEMAND(replica_new(&c->config, &c->durable, &c->replica, &why) == ERR_OK);
    load_checkpoint(c);
    for (uint32_t i = (uint32_t)base_of(c); i < c->rows_count; i++)
        DEMAND(replica_load_entry(c->replica, &c->rows[i]) == ERR_OK);
    replica_loaded(c->replica, c->now_ns);
    memset(c->streams, 0, sizeof c->streams);
    cell_step(c, (struct replica_event){.kind = REPLICA_EVENT_TIME});
}

static bool serves(const struct cell *c)
{
    struct replica_view view;

    replica_view(c->replica, c->now_ns, &view);
    return view.serving;
}

void cell_init(struct cell *c, uint32_t members_count)
{
    memset(c, 0, sizeof *c);
    effects_init(&c->waiting);
    peer_config(&c->config, members_count);
    c->config.checkpoint_slots = CHECKPOINT_SLOTS;
    c->config.log_keep_slots = KEEP_SLOTS;
    c->config.checkpoint_step_bytes = STEP_BYTES;
    c->now_ns = NS_PER_S;
    start(c);
    for (int i = 0; members_count == 1 && i < STEPS_TO_SERVE && !serves(c); i++)
        cell_wait(c, 1000, 1);
    DEMAND(members_count > 1 || serves(c));
}

static void drop_waiting(struct cell *c)
{
    for (uint32_t i = 0; i < c->waiting.count; i++)
        blob_unref(c->waiting.list[i].entry.value);
    c->waiting.count = 0;
}

void cell_release(struct cell *c)
{
    replica_free(c->replica);
    drop_waiting(c);
    effects_release(&c->waiting);
    saver_release(&c->saver);
    for (uint32_t i = 0; i < c->rows_count; i++)
        blob_unref(c->rows[i].value);
}

void cell_restart(struct cell *c)
{
    if (c->over)
        return;
    replica_free(c->replica);
    drop_waiting(c);
    saver_crash(&c->saver, false, NULL);
    c->stuck = false;
    c->durable.used = 1;
    start(c);
}

void cell_wait(struct cell *c, uint32_t ms, uint32_t steps)
{
    int64_t until_ns = c->now_ns + ms_to_ns(ms);

    for (; steps > 0 && c->now_ns < until_ns && !c->over; steps--) {
        c->now_ns = ns_min(until_ns, ns_max(c->now_ns + 1, c->wake_at_ns));
        cell_step(c, (struct replica_event){.kind = REPLICA_EVENT_TIME});
    }
}

/* ---- streams ---- */

uint64_t cell_open(struct cell *c, enum replica_stream_kind kind)
{
    struct replica_event e = {.kind = REPLICA_EVENT_STREAM_OPENED, .stream_kind = kind};

    if (c->last_stream + 1 >= CELL_STREAMS_MAX || c->over)
        return 0;
    e.stream = ++c->last_stream;
    e.principal = "fuzz";
    memset(e.random, (int)e.stream, sizeof e.random);
    c->streams[e.stream] = (struct cell_stream){.open = true, .kind = kind};
    cell_step(c, e);
    return e.stream;
}

void cell_message(struct cell *c, uint64_t stream, struct slice bytes)
{
    uint8_t *copy = fuzz_copy(bytes);

    if (c->streams[stream].open)
        cell_step(c, (struct replica_event){.kind = REPLICA_EVENT_STREAM_MESSAGE,
                                            .stream = stream,
                                            .bytes = slice_of(copy, bytes.length)});
    free(copy);
}

void cell_close(struct cell *c, uint64_t stream)
{
    if (!c->streams[stream].open)
        return;
    c->streams[stream].open = false;
    cell_step(c, (struct replica_event){.kind = REPLICA_EVENT_STREAM_CLOSED, .stream = stream});
}

/* ---- judging ---- */

static void apply(struct state *s, const struct log_entry *row)
{
    struct state_output out;

    state_output_init(&out);
    if (row->kind == ENTRY_BATCH) {
        state_apply(s, blob_slice(row->value), &out);
    } else if (row->kind == ENTRY_LEADER_START) {
        struct reader reader = reader_of(blob_slice(row->value));

        state_apply_leader_start(s, reader_u64(&reader));
    }
    state_output_release(&out);
}

static void judge_log(const struct cell *c)
{
    struct state *again = state_new(c->config.cell);
    uint64_t one[2], other[2];

    for (uint32_t i = 0; i < c->rows_count; i++)
        apply(again, &c->rows[i]); /* those below the floor, too */
    state_hash(again, one);
    state_hash(replica_state(c->replica), other);
    DEMAND(memcmp(one, other, sizeof one) == 0);
    state_free(again);
}

void cell_judge(struct cell *c)
{
    struct replica_view view;

    DEMAND(state_check(replica_state(c->replica)) == NULL);
    replica_view(c->replica, c->now_ns, &view);
    if (c->config.members_count == 1 && view.applied == c->rows_count)
        judge_log(c);
}
