/* cell.c - see cell.h. The clients are in cell_client.c. */
#include "tests/replica/cell.h"

#include <CUnit/CUnit.h>
#include <stdlib.h>
#include <string.h>

#include "libcoord/base/check.h"
#include "libcoord/base/units.h"

enum { PATIENCE_MS = 5000 };

/* ---- the world's side of a step ---- */

static void keep(struct cell_member *m, struct effect *e)
{
    if (e->kind == EFFECT_PERSIST_PROMISE) {
        m->durable.promised = e->ballot;
    } else if (e->kind == EFFECT_PERSIST_LEASE) {
        m->durable.longest_lease_ms = e->lease_ms;
    } else if (e->kind == EFFECT_PERSIST_FLOOR) {
        m->durable.floor = e->last_slot;
    } else {
        struct log_entry *row = &m->rows[e->entry.slot - 1];

        CHECK(e->entry.slot <= CELL_ROWS_MAX);
        blob_unref(row->value);
        *row = e->entry;
    }
    m->durable.last_slot = m->durable.floor;
    while (m->durable.last_slot < CELL_ROWS_MAX && m->rows[m->durable.last_slot].value != NULL)
        m->durable.last_slot++;
}

static void sync_disk(struct cell *c, int i)
{
    struct cell_member *m = &c->members[i];
    struct replica_event e = {.kind = REPLICA_EVENT_PERSISTED};

    if (m->disk_stuck || m->waiting_count == 0)
        return;
    for (int k = 0; k < m->waiting_count; k++)
        keep(m, &m->waiting[k]);
    e.sequence = m->waiting[m->waiting_count - 1].sequence;
    m->waiting_count = 0;
    cell_step(c, i, &e);
}

static void post(struct cell *c, int from, const struct effect *e)
{
    struct cell_letter *l = &c->letters[c->letters_count];

    CHECK(c->letters_count < CELL_LETTERS_MAX);
    *l = (struct cell_letter){.from = from, .to = (int)e->peer - 1, .bytes = blob_ref(e->bytes)};
    c->letters_count++;
}

static void read_log(struct cell *c, int i, const struct effect *e)
{
    struct replica_event read = {.kind = REPLICA_EVENT_LOG_READ, .token = e->token};

    read.entries = &c->members[i].rows[e->first_slot - 1];
    while (read.entries_count < e->last_slot - e->first_slot + 1 &&
           read.entries[read.entries_count].value != NULL)
        read.entries_count++;
    cell_step(c, i, &read);
}

static void ask_saved(struct cell_member *m, const struct effect *e)
{
    struct cell_told *told = &m->told[m->told_count];
    struct buffer chunk = BUFFER_INIT;

    CHECK(m->told_count < CELL_TOLD_MAX);
    *told = (struct cell_told){.bytes = BUFFER_INIT, .about = BUFFER_INIT};
    if (saved_do(&m->saved, e, &told->event, &chunk) && told->event.kind != REPLICA_EVENT_TIME) {
        buffer_put(&told->bytes, told->event.bytes.data, told->event.bytes.length);
        buffer_put(&told->about, told->event.about.data, told->event.about.length);
        m->told_count++;
    }
    buffer_release(&chunk);
}

static void forget_told(struct cell_member *m)
{
    for (int k = 0; k < m->told_count; k++) {
        buffer_release(&m->told[k].bytes);
        buffer_release(&m->told[k].about);
    }
    m->told_count = 0;
}

static void tell(struct cell *c, int i)
{
    struct cell_member *m = &c->members[i];

    while (m->told_count > 0) {
        struct cell_told told = m->told[0];

        if (m->save_stuck && told.event.kind == REPLICA_EVENT_CHECKPOINTED)
            return;
        m->told_count--;
        memmove(m->told, m->told + 1, (size_t)m->told_count * sizeof told);
        told.event.bytes = buffer_slice(&told.bytes);
        told.event.about = buffer_slice(&told.about);
        cell_step(c, i, &told.event);
        buffer_release(&told.bytes);
        buffer_release(&told.about);
    }
}

static void carry_out(struct cell *c, int i, struct effect *e)
{
    struct cell_member *m = &c->members[i];

    if (e->kind == EFFECT_SEND_PEER) {
        post(c, i, e);
    } else if (e->kind == EFFECT_SEND_STREAM) {
        buffer_put(&c->streams[e->stream].out, e->bytes->data, e->bytes->length);
    } else if (e->kind == EFFECT_CLOSE_STREAM) {
        c->streams[e->stream].closed = true;
    } else if (e->kind == EFFECT_HALT) {
        m->halted = true;
    } else if (e->kind <= EFFECT_PERSIST_FLOOR) {
        CHECK(m->waiting_count < CELL_ROWS_MAX);
        m->waiting[m->waiting_count++] = *e;
        e->entry.value = NULL;
    } else {
        ask_saved(m, e);
    }
}

/* What was applied is never taken back, but by a start. */
static void look_at(struct cell *c, int i)
{
    struct replica_view view;

    cell_view(c, i, &view);
    CU_ASSERT_TRUE_FATAL(view.applied >= c->members[i].applied);
    c->members[i].applied = view.applied;
}

void cell_step(struct cell *c, int i, struct replica_event *e)
{
    struct effects out;

    if (c->members[i].replica == NULL)
        return;
    effects_init(&out);
    e->now_ns = c->now_ns;
    e->wall_ms = c->now_ns / NS_PER_MS + c->wall_offset_ms;
    replica_step(c->members[i].replica, e, &out);
    c->members[i].wake_at_ns = out.wake_at_ns;
    look_at(c, i);
    for (uint32_t k = 0; k < out.count; k++)
        carry_out(c, i, &out.list[k]);
    for (uint32_t k = 0; k < out.count; k++)
        if (out.list[k].kind == EFFECT_READ_LOG)
            read_log(c, i, &out.list[k]);
    effects_release(&out);
}

/* ---- members ---- */

static void link(struct cell *c, int i, int other, enum replica_link state)
{
    struct replica_event e = {
        .kind = REPLICA_EVENT_PEER_LINK, .peer = (uint32_t)other + 1, .link = state};

    cell_step(c, i, &e);
}

enum err cell_load_saved(const struct image *image, struct replica *r)
{
    const char *why;

    if (image->slot == 0)
        return ERR_OK;
    if (replica_load_checkpoint(r, image->slot, buffer_slice(&image->about), &why) != ERR_OK)
        return ERR_INVALID;
    for (uint32_t k = 0; k < image->count; k++)
        CHECK(replica_load_record(r, buffer_slice(&image->records[k].key),
                                  buffer_slice(&image->records[k].value)) == ERR_OK);
    return replica_load_checkpoint_end(r);
}

void cell_start(struct cell *c, int i)
{
    struct cell_member *m = &c->members[i];
    struct replica_config config = c->config;
    struct replica_event e = {.kind = REPLICA_EVENT_TIME};
    const char *why = NULL;
    uint64_t slot;

    config.self = (uint32_t)i + 1;
    config.incarnation = (uint64_t)i + 90;
    config.seed = (uint64_t)i + 5;
    CHECK(replica_new(&config, &m->durable, &m->replica, &why) == ERR_OK);
    CHECK(cell_load_saved(&m->saved.durable, m->replica) == ERR_OK);
    slot = m->saved.durable.slot > m->durable.floor ? m->saved.durable.slot : m->durable.floor;
    for (; slot < m->durable.last_slot; slot++)
        CHECK(replica_load_entry(m->replica, &m->rows[slot]) == ERR_OK);
    replica_loaded(m->replica, c->now_ns);
    m->applied = 0;
    cell_step(c, i, &e);
    for (int k = 0; k < CELL_MEMBERS; k++) {
        if (k == i || c->members[k].replica == NULL)
            continue;
        link(c, i, k, REPLICA_LINK_UP);
        link(c, k, i, REPLICA_LINK_UP);
    }
}

void cell_crash(struct cell *c, int i)
{
    struct cell_member *m = &c->members[i];

    for (int k = 0; k < m->waiting_count; k++)
        blob_unref(m->waiting[k].entry.value);
    m->waiting_count = 0;
    forget_told(m);
    saved_crash(&m->saved);
    replica_free(m->replica);
    m->replica = NULL;
    for (uint64_t s = 1; s <= c->last_stream; s++)
        if (c->streams[s].member == i)
            c->streams[s].closed = true;
    for (int k = 0; k < CELL_MEMBERS; k++)
        if (k != i)
            link(c, k, i, REPLICA_LINK_DOWN);
}

struct cell *cell_new(void)
{
    struct cell *c = check_calloc(1, sizeof *c);

    c->now_ns = NS_PER_S;
    memset(c->config.cell, 0xce, sizeof c->config.cell);
    c->config.members_count = CELL_MEMBERS;
    for (uint32_t i = 0; i < CELL_MEMBERS; i++) {
        c->config.members[i].id = i + 1;
        memcpy(c->config.members[i].address, "host:1", sizeof "host:1");
    }
    return c;
}

void cell_start_all(struct cell *c)
{
    for (int i = 0; i < CELL_MEMBERS; i++)
        cell_start(c, i);
}

void cell_free(struct cell *c)
{
    for (int k = 0; k < c->letters_count; k++)
        blob_unref(c->letters[k].bytes);
    c->letters_count = 0;
    for (int i = 0; i < CELL_MEMBERS; i++) {
        if (c->members[i].replica != NULL)
            cell_crash(c, i);
        for (int k = 0; k < CELL_ROWS_MAX; k++)
            blob_unref(c->members[i].rows[k].value);
        saved_release(&c->members[i].saved);
    }
    for (int k = 0; k < c->letters_count; k++)
        blob_unref(c->letters[k].bytes);
    for (int i = 0; i < CELL_STREAMS_MAX; i++)
        buffer_release(&c->streams[i].out);
    free(c);
}

/* ---- the course of things ---- */

static void deliver(struct cell *c, struct cell_letter *l)
{
    struct replica_event e = {.kind = REPLICA_EVENT_PEER_MESSAGE, .peer = (uint32_t)l->from + 1};
    bool cut = c->members[l->from].cut || c->members[l->to].cut;

    e.bytes = blob_slice(l->bytes);
    if (!cut && (c->intercept == NULL || !c->intercept(c, l)))
        cell_step(c, l->to, &e);
    blob_unref(l->bytes);
}

static void deliver_all(struct cell *c)
{
    static struct cell_letter mail[CELL_LETTERS_MAX];
    int count = c->letters_count;

    memcpy(mail, c->letters, (size_t)count * sizeof *mail);
    c->letters_count = 0;
    for (int k = 0; k < count; k++) {
        if (c->members[mail[k].to].paused) {
            CHECK(c->letters_count < CELL_LETTERS_MAX);
            c->letters[c->letters_count++] = mail[k];
        } else {
            deliver(c, &mail[k]);
        }
    }
}

void cell_run(struct cell *c, int ms)
{
    for (int t = 0; t < ms; t++) {
        c->now_ns += NS_PER_MS;
        deliver_all(c);
        for (int i = 0; i < CELL_MEMBERS; i++) {
            struct replica_event e = {.kind = REPLICA_EVENT_TIME};

            if (c->members[i].paused || c->members[i].replica == NULL)
                continue;
            sync_disk(c, i);
            tell(c, i);
            if (c->members[i].wake_at_ns <= c->now_ns)
                cell_step(c, i, &e);
        }
    }
}

void cell_view(const struct cell *c, int i, struct replica_view *ret)
{
    replica_view(c->members[i].replica, c->now_ns, ret);
}

int cell_leader(struct cell *c)
{
    struct replica_view view;

    for (int t = 0; t < PATIENCE_MS; t++) {
        for (int i = 0; i < CELL_MEMBERS; i++) {
            if (c->members[i].replica == NULL || c->members[i].paused)
                continue;
            cell_view(c, i, &view);
            if (view.serving)
                return i;
        }
        cell_run(c, 1);
    }
    CU_FAIL_FATAL("nobody serves");
    return -1;
}

bool cell_same_state(const struct cell *c, int i, int k)
{
    struct replica_view a, b;

    cell_view(c, i, &a);
    cell_view(c, k, &b);
    return a.applied == b.applied && memcmp(a.state_hash, b.state_hash, sizeof a.state_hash) == 0;
}

void cell_settle(struct cell *c)
{
    cell_run(c, CELL_SETTLE_MS);
    for (int i = 1; i < CELL_MEMBERS; i++)
        CU_ASSERT_TRUE(cell_same_state(c, 0, i));
}

Coord__V1__Message *cell_message(const struct cell_letter *l)
{
    Coord__V1__Envelope *envelope =
        coord__v1__envelope__unpack(NULL, l->bytes->length, l->bytes->data);
    Coord__V1__Message *m;

    CU_ASSERT_PTR_NOT_NULL_FATAL(envelope);
    m = coord__v1__message__unpack(NULL, envelope->body.len, envelope->body.data);
    CU_ASSERT_PTR_NOT_NULL_FATAL(m);
    coord__v1__envelope__free_unpacked(envelope, NULL);
    return m;
}
