/* bench.c - see bench.h. */
#include "tests/sim/bench.h"

#include <string.h>

#include "libcoord/base/check.h"
#include "tests/sim/check_belief.h"

enum { TTL_MS = 10000 };

static void on_write(void *context, const struct disk *d, const struct disk_job *job)
{
    struct sim *s = context;
    truth_writes(&s->truth, 1, d, job);
    model_follow(&s->model, &s->truth);
}

void bench_begin(struct sim *s)
{
    memset(s, 0, sizeof(*s));
    s->swarm.members = 1;
    s->swarm.hosts = 1;
    s->swarm.clients = 3;
    s->swarm.rate_ppm = 5000;
    s->next_content = 1;
    journal_init(&s->journal, &s->now_ns, NULL);
    queue_init(&s->queue);
    channels_init(&s->channels);
    net_init(&s->net, &s->swarm, &s->journal, 1);
    prng_init(&s->channel_random, 1);
    prng_init(&s->work_random, 1);
    truth_init(&s->truth, &s->journal, 1, 1);
    model_init(&s->model, &s->journal,
               &(struct model_listener){check_belief_on_grant, check_belief_on_expiry,
                                        check_delay_began, check_delay_over, s},
               0);
    disk_init(&s->servers[0].disk, on_write, s);
    s->servers[0].id = 1;
    host_init(s, 0);
    clock_init(&s->hosts[0].clock, NS_PER_S, 0, 0);
    for (uint32_t i = 0; i < s->swarm.clients; i++)
        client_init(s, i);
}

void bench_end(struct sim *s)
{
    queue_release(&s->queue);
    for (uint32_t i = 0; i < s->swarm.clients; i++)
        client_release(&s->clients[i]);
    host_release(&s->hosts[0]);
    channels_release(&s->channels);
    disk_release(&s->servers[0].disk);
    model_release(&s->model);
    truth_release(&s->truth);
}

bool bench_failed(const struct sim *s)
{
    return s->journal.verdict == VERDICT_SAFETY;
}

/* ---- the log ---- */

void bench_choose(struct sim *s, const Coord__V1__Command *command)
{
    Coord__V1__Batch batch = COORD__V1__BATCH__INIT;
    Coord__V1__Command *commands[1] = {(Coord__V1__Command *)(uintptr_t)command};
    batch.n_commands = 1;
    batch.commands = commands;
    struct blob *value = blob_new(coord__v1__batch__get_packed_size(&batch));
    coord__v1__batch__pack(&batch, value->data);

    struct effects e;
    effects_init(&e);
    struct effect *p = effects_add(&e, EFFECT_PERSIST_ENTRY);
    p->sequence = s->truth.prefix + 1;
    p->entry = (struct log_entry){
        .slot = s->truth.prefix + 1, .ballot = 65537, .kind = ENTRY_BATCH, .value = value};
    disk_hand_over(&s->servers[0].disk, e.list, e.count);
    effects_release(&e);
    disk_begin(&s->servers[0].disk);
    disk_finish(&s->servers[0].disk);
}

static Coord__V1__Command command_of(uint64_t session, uint64_t seq)
{
    Coord__V1__Command c = COORD__V1__COMMAND__INIT;
    c.session = session;
    c.seq = seq;
    c.lowest = 1;
    return c;
}

void bench_put(struct sim *s, uint64_t session, uint64_t seq, const char *path, const char *content)
{
    Coord__V1__Command c = command_of(session, seq);
    Coord__V1__Put put = COORD__V1__PUT__INIT;
    put.path = (char *)(uintptr_t)path;
    put.content.data = (uint8_t *)(uintptr_t)content;
    put.content.len = strlen(content);
    put.create = put.parents = true;
    c.op_case = COORD__V1__COMMAND__OP_PUT;
    c.put = &put;
    bench_choose(s, &c);
}

void bench_open(struct sim *s, uint8_t nonce)
{
    Coord__V1__Command c = command_of(0, 0);
    Coord__V1__OpenSession open = COORD__V1__OPEN_SESSION__INIT;
    open.nonce.data = &nonce;
    open.nonce.len = 1;
    c.op_case = COORD__V1__COMMAND__OP_OPEN_SESSION;
    c.open_session = &open;
    bench_choose(s, &c);
}

void bench_acquire(struct sim *s, uint64_t session, uint64_t seq, const char *path)
{
    Coord__V1__Command c = command_of(session, seq);
    Coord__V1__Acquire acquire = COORD__V1__ACQUIRE__INIT;
    acquire.path = (char *)(uintptr_t)path;
    acquire.handle = seq + BENCH_HANDLE_OFFSET;
    acquire.mode = COORD__V1__LOCK_MODE__LOCK_EXCLUSIVE;
    acquire.wait = true;
    c.op_case = COORD__V1__COMMAND__OP_ACQUIRE;
    c.acquire = &acquire;
    bench_choose(s, &c);
}

void bench_release(struct sim *s, uint64_t session, uint64_t seq, const char *path,
                   uint64_t acquire_seq)
{
    Coord__V1__Command c = command_of(session, seq);
    Coord__V1__Release release = COORD__V1__RELEASE__INIT;
    release.path = (char *)(uintptr_t)path;
    release.handle = acquire_seq + BENCH_HANDLE_OFFSET;
    c.op_case = COORD__V1__COMMAND__OP_RELEASE;
    c.release = &release;
    bench_choose(s, &c);
}

void bench_forget(struct sim *s, uint64_t revision)
{
    s->model.history_floor = revision;
}

void bench_expire(struct sim *s, uint64_t session)
{
    Coord__V1__Command c = command_of(0, 0);
    Coord__V1__ExpireSession expire = COORD__V1__EXPIRE_SESSION__INIT;
    expire.session = session;
    expire.ballot = 65537;
    c.op_case = COORD__V1__COMMAND__OP_EXPIRE_SESSION;
    c.expire_session = &expire;
    bench_choose(s, &c);
}

/* ---- clients ---- */

static void step(struct client *c, struct client_event event)
{
    event.now_ns = host_now_ns(c->host);
    client_session_step(c->session, &event, &c->effects);
}

void bench_safe_client(struct sim *s, uint32_t index, uint64_t session)
{
    struct client *c = &s->clients[index];
    const char *const endpoints[] = {"sim:1"};
    uint8_t secret[16] = {0}, bytes[256];
    struct client_session_config config = {
        .ttl_ms = TTL_MS, .host = "sim", .endpoints = endpoints, .endpoints_count = 1};
    c->session = client_session_new(&config);
    step(c, (struct client_event){.kind = CLIENT_EVENT_TIME});
    step(c, (struct client_event){.kind = CLIENT_EVENT_LINK_UP});

    Coord__V1__SessionOpened opened = COORD__V1__SESSION_OPENED__INIT;
    Coord__V1__Answer answer = COORD__V1__ANSWER__INIT;
    Coord__V1__Item item = COORD__V1__ITEM__INIT, *items[1] = {&item};
    Coord__V1__SessionReply reply = COORD__V1__SESSION_REPLY__INIT;
    opened.session = session;
    opened.ttl_ms = TTL_MS;
    opened.secret.data = secret;
    opened.secret.len = sizeof(secret);
    answer.body_case = COORD__V1__ANSWER__BODY_OPENED;
    answer.opened = &opened;
    item.kind_case = COORD__V1__ITEM__KIND_BEGUN;
    item.begun = &answer;
    reply.n_items = 1;
    reply.items = items;
    size_t length = coord__v1__session_reply__pack(&reply, bytes);
    step(c, (struct client_event){.kind = CLIENT_EVENT_MESSAGE, .bytes = slice_of(bytes, length)});
    c->id = session;
    CHECK(client_is_safe(c));
}
