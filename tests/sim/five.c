/* five.c - see five.h. */
#include "tests/sim/five.h"

#include <stdlib.h>
#include <string.h>

#include "coordd/replica/peer_codec.h"
#include "libcoord/base/check.h"
#include "libcoord/base/units.h"

enum { PATIENCE_MS = 20000, INCARNATION = 900, CHUNK_READ_BYTES = 4096 };

static void step(struct five *f, uint32_t id, struct replica_event *e);

static struct replica_config config_of(uint32_t id)
{
    struct replica_config c = {.self = id, .members_count = FIVE, .pid = 77, .seed = id};

    memset(c.cell, 0xce, sizeof c.cell);
    c.incarnation = INCARNATION + id;
    c.checkpoint_slots = 10;
    c.log_keep_slots = 5;
    c.log_unapplied_entries = FIVE_UNAPPLIED_MAX;
    for (uint32_t i = 0; i < FIVE; i++) {
        c.members[i].id = i + 1;
        memcpy(c.members[i].address, "host:1", sizeof "host:1");
    }
    return c;
}

/* ---- what a replica asks ---- */

static void send(struct five *f, uint32_t from, uint32_t to, struct blob *bytes)
{
    uint32_t at = (f->queue_first + f->queue_count) % FIVE_QUEUE_MAX;

    CHECK(f->queue_count < FIVE_QUEUE_MAX);
    f->queue[at].from = from;
    f->queue[at].to = to;
    f->queue[at].bytes = blob_ref(bytes);
    f->queue_count++;
}

static void write_row(struct five_member *m, const struct log_entry *entry)
{
    struct log_entry *row = &m->rows[entry->slot - 1];

    CHECK(entry->slot <= FIVE_ROWS_MAX);
    blob_ref(entry->value);
    blob_unref(row->value);
    *row = *entry;
    if (entry->slot > m->rows_count)
        m->rows_count = entry->slot;
}

static void carry_out(struct five *f, uint32_t id, const struct effect *e)
{
    struct five_member *m = &f->members[id - 1];

    if (saver_hand_over(&m->saver, e))
        return;
    if (e->kind == EFFECT_PERSIST_PROMISE)
        m->durable.promised = e->ballot;
    else if (e->kind == EFFECT_PERSIST_LEASE)
        m->durable.longest_lease_ms = e->lease_ms;
    else if (e->kind == EFFECT_PERSIST_ENTRY)
        write_row(m, &e->entry);
    else if (e->kind == EFFECT_PERSIST_FLOOR)
        m->durable.floor = e->last_slot;
    else if (e->kind == EFFECT_SEND_PEER)
        send(f, id, e->peer, e->bytes);
    else if (e->kind == EFFECT_SEND_STREAM && e->stream == m->last_stream)
        buffer_put(&m->said, e->bytes->data, e->bytes->length);
    else if (e->kind == EFFECT_NOTE)
        m->warnings += strstr(e->text, "too few told theirs") != NULL;
    if (e->kind == EFFECT_HALT) {
        memcpy(m->text, e->text, sizeof m->text);
        m->halted = m->text;
    }
}

static void read_log(struct five *f, uint32_t id, const struct effect *e)
{
    struct five_member *m = &f->members[id - 1];
    struct replica_event read = {.kind = REPLICA_EVENT_LOG_READ, .token = e->token};
    uint64_t last = e->last_slot < m->rows_count ? e->last_slot : m->rows_count;

    if (e->first_slot <= last) {
        read.entries = &m->rows[e->first_slot - 1];
        read.entries_count = (uint32_t)(last - e->first_slot + 1);
    }
    step(f, id, &read);
}

static void step(struct five *f, uint32_t id, struct replica_event *e)
{
    struct five_member *m = &f->members[id - 1];
    struct replica_event persisted = {.kind = REPLICA_EVENT_PERSISTED};
    struct effects out;

    if (m->replica == NULL)
        return;
    effects_init(&out);
    e->now_ns = f->now_ns;
    e->wall_ms = f->now_ns / NS_PER_MS;
    replica_step(m->replica, e, &out);
    for (uint32_t i = 0; i < out.count && m->halted == NULL; i++) {
        carry_out(f, id, &out.list[i]);
        if (out.list[i].sequence != 0)
            persisted.sequence = out.list[i].sequence;
    }
    m->quarantined_once = m->quarantined_once || five_view(f, id).quarantined;
    if (m->halted != NULL) {
        five_down(f, id);
    } else {
        for (uint32_t i = 0; i < out.count; i++)
            if (out.list[i].kind == EFFECT_READ_LOG)
                read_log(f, id, &out.list[i]);
        if (persisted.sequence != 0)
            step(f, id, &persisted);
    }
    effects_release(&out);
}

/* ---- the world ---- */

static void save(struct five *f, uint32_t id)
{
    struct five_member *m = &f->members[id - 1];

    while (m->replica != NULL && saver_first(&m->saver) != NULL) {
        struct saver_said said = saver_done(&m->saver, CHUNK_READ_BYTES);
        struct replica_event e = {.kind = said.kind, .slot = said.slot, .token = said.token};

        if (said.kind == REPLICA_EVENT_CHECKPOINT_READ) {
            e.bytes = blob_slice(said.bytes);
            e.about = blob_slice(said.about);
            e.last = said.last;
        }
        if (said.kind != REPLICA_EVENT_TIME)
            step(f, id, &e);
        blob_unref(said.bytes);
        blob_unref(said.about);
    }
}

static bool arrives(struct five *f, uint32_t to, struct slice bytes)
{
    struct replica_config config = config_of(to);
    struct peer_envelope envelope;
    struct message m;
    struct arena arena;
    bool lost;

    arena_init(&arena, 16 * 1024 * 1024);
    CHECK(peer_decode(&config, &arena, bytes, &envelope, &m));
    lost = f->lost != 0 && m.kind == f->lost;
    if (m.kind == MESSAGE_TRANSFERRED) {
        message_release(&f->seen);
        f->seen = m;
    } else {
        message_release(&m);
    }
    arena_release(&arena);
    return !lost;
}

static void deliver(struct five *f)
{
    while (f->queue_count > 0) {
        uint32_t from = f->queue[f->queue_first].from, to = f->queue[f->queue_first].to;
        struct blob *bytes = f->queue[f->queue_first].bytes;
        struct replica_event e = {.kind = REPLICA_EVENT_PEER_MESSAGE, .peer = from};

        f->queue_first = (f->queue_first + 1) % FIVE_QUEUE_MAX;
        f->queue_count--;
        e.bytes = blob_slice(bytes);
        if (arrives(f, to, e.bytes))
            step(f, to, &e);
        blob_unref(bytes);
    }
}

void five_run(struct five *f, int ms)
{
    int64_t until_ns = f->now_ns + ms_to_ns(ms);

    while (f->now_ns < until_ns) {
        f->now_ns += ms_to_ns(1);
        for (uint32_t id = 1; id <= FIVE; id++) {
            struct replica_event e = {.kind = REPLICA_EVENT_TIME};

            step(f, id, &e);
            save(f, id);
        }
        deliver(f);
    }
}

static void link(struct five *f, uint32_t id, enum replica_link state)
{
    for (uint32_t other = 1; other <= FIVE; other++) {
        struct replica_event there = {.kind = REPLICA_EVENT_PEER_LINK, .peer = id, .link = state};
        struct replica_event here = {.kind = REPLICA_EVENT_PEER_LINK, .peer = other, .link = state};

        if (other == id || f->members[other - 1].replica == NULL)
            continue;
        step(f, other, &there);
        step(f, id, &here);
    }
}

void five_down(struct five *f, uint32_t id)
{
    struct five_member *m = &f->members[id - 1];

    replica_free(m->replica);
    m->replica = NULL;
    saver_crash(&m->saver, false, NULL);
    link(f, id, REPLICA_LINK_DOWN);
}

static void load(struct five_member *m)
{
    const struct image *image = m->saver.durable;
    uint64_t base = saver_slot(&m->saver);
    const char *why;

    base = base > m->durable.floor ? base : m->durable.floor;
    if (image != NULL) {
        CHECK(replica_load_checkpoint(m->replica, image->slot, blob_slice(image->about), &why) ==
              ERR_OK);
        for (struct avl_node *at = avl_first(&image->records); at != NULL; at = avl_next(at)) {
            const struct image_record *r = container_of(at, struct image_record, by_key);

            CHECK(replica_load_record(m->replica, r->key, r->value) == ERR_OK);
        }
        CHECK(replica_load_checkpoint_end(m->replica) == ERR_OK);
    }
    for (uint64_t slot = base + 1; slot <= m->rows_count; slot++)
        CHECK(replica_load_entry(m->replica, &m->rows[slot - 1]) == ERR_OK);
}

void five_up(struct five *f, uint32_t id)
{
    struct five_member *m = &f->members[id - 1];
    struct replica_config config = config_of(id);
    struct replica_event e = {.kind = REPLICA_EVENT_TIME};
    const char *why;

    m->durable.last_slot = m->rows_count;
    m->halted = NULL;
    CHECK(replica_new(&config, &m->durable, &m->replica, &why) == ERR_OK);
    load(m);
    m->durable.used = 1;
    replica_loaded(m->replica, f->now_ns);
    step(f, id, &e);
    link(f, id, REPLICA_LINK_UP);
}

/* ---- life ---- */

struct five *five_new(void)
{
    struct five *f = check_calloc(1, sizeof *f);

    f->now_ns = NS_PER_S;
    for (uint32_t id = 1; id <= FIVE; id++)
        five_up(f, id);
    for (int ms = 0; ms < PATIENCE_MS && five_leader(f) == 0; ms += 10)
        five_run(f, 10);
    CHECK(five_leader(f) != 0);
    return f;
}

void five_free(struct five *f)
{
    for (uint32_t i = 0; i < FIVE; i++) {
        struct five_member *m = &f->members[i];

        replica_free(m->replica);
        for (uint64_t slot = 0; slot < m->rows_count; slot++)
            blob_unref(m->rows[slot].value);
        saver_release(&m->saver);
        buffer_release(&m->said);
    }
    for (; f->queue_count > 0; f->queue_count--) {
        blob_unref(f->queue[f->queue_first].bytes);
        f->queue_first = (f->queue_first + 1) % FIVE_QUEUE_MAX;
    }
    message_release(&f->seen);
    free(f);
}

struct replica_view five_view(const struct five *f, uint32_t id)
{
    struct replica_view view = {.role = "down"};

    if (f->members[id - 1].replica != NULL)
        replica_view(f->members[id - 1].replica, f->now_ns, &view);
    return view;
}

uint32_t five_leader(const struct five *f)
{
    for (uint32_t id = 1; id <= FIVE; id++)
        if (five_view(f, id).serving)
            return id;
    return 0;
}

/* ---- clients ---- */

static void execute(struct five *f, uint32_t id, const Coord__V1__ExecuteRequest *request)
{
    struct five_member *m = &f->members[id - 1];
    struct replica_event open = {.kind = REPLICA_EVENT_STREAM_OPENED,
                                 .stream = ++m->last_stream,
                                 .stream_kind = REPLICA_STREAM_EXECUTE,
                                 .principal = "tester"};
    struct replica_event say = {.kind = REPLICA_EVENT_STREAM_MESSAGE, .stream = m->last_stream};
    struct buffer bytes = BUFFER_INIT;

    buffer_clear(&m->said);
    coord__v1__execute_request__pack(
        request, buffer_extend(&bytes, coord__v1__execute_request__get_packed_size(request)));
    say.bytes = buffer_slice(&bytes);
    step(f, id, &open);
    step(f, id, &say);
    buffer_release(&bytes);
}

void five_put(struct five *f, const char *content)
{
    Coord__V1__ExecuteRequest request = COORD__V1__EXECUTE_REQUEST__INIT;
    Coord__V1__Write write = COORD__V1__WRITE__INIT;
    Coord__V1__Put put = COORD__V1__PUT__INIT;

    for (int ms = 0; ms < PATIENCE_MS && five_leader(f) == 0; ms += 10)
        five_run(f, 10);
    put.path = (char *)"/a";
    put.content.data = (uint8_t *)(uintptr_t)content;
    put.content.len = strlen(content);
    put.create = true;
    write.op_case = COORD__V1__WRITE__OP_PUT;
    write.put = &put;
    request.request_case = COORD__V1__EXECUTE_REQUEST__REQUEST_WRITE;
    request.write = &write;
    execute(f, five_leader(f), &request);
    five_run(f, 100);
}

int five_stale(struct five *f, uint32_t id)
{
    Coord__V1__ExecuteRequest request = COORD__V1__EXECUTE_REQUEST__INIT;
    Coord__V1__Read read = COORD__V1__READ__INIT;
    Coord__V1__Get get = COORD__V1__GET__INIT;
    Coord__V1__Answer *answer;
    int status = -1;

    get.path = (char *)"/a";
    read.freshness = COORD__V1__FRESHNESS__STALE;
    read.op_case = COORD__V1__READ__OP_GET;
    read.get = &get;
    request.request_case = COORD__V1__EXECUTE_REQUEST__REQUEST_READ;
    request.read = &read;
    execute(f, id, &request);
    answer = coord__v1__answer__unpack(NULL, f->members[id - 1].said.length,
                                       f->members[id - 1].said.data);
    CHECK(answer != NULL);
    if (f->members[id - 1].said.length > 0 && answer->status != COORD__V1__STATUS__NOT_LEADER)
        status = (int)answer->status;
    coord__v1__answer__free_unpacked(answer, NULL);
    return status;
}

void five_say(struct five *f, uint32_t from, uint32_t to, const struct message *m)
{
    struct replica_config config = config_of(from);
    struct blob *bytes = peer_encode(&config, m);

    send(f, from, to, bytes);
    blob_unref(bytes);
    deliver(f);
}
