/* bench.c - see bench.h. Every effect is decoded again with protobuf-c, so that
 * what session_wire.c joins by hand is judged by the real decoder. */
#include "tests/libcoord/bench.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "libcoord/base/check.h"

static void note_requests(struct bench *b, const Coord__V1__SessionRequest *m)
{
    for (size_t i = 0; i < m->n_requests; i++) {
        const Coord__V1__Request *r = m->requests[i];
        CHECK(b->requests_count < BENCH_LOG_MAX);
        struct bench_request *n = &b->requests[b->requests_count++];
        *n = (struct bench_request){.seq = r->seq, .lowest = m->lowest};
        switch (r->kind_case) {
        case COORD__V1__REQUEST__KIND_WRITE:
            n->write = (int)r->write->op_case;
            if (r->write->op_case == COORD__V1__WRITE__OP_CANCEL)
                n->acquire_seq = r->write->cancel->acquire_seq;
            if (r->write->op_case == COORD__V1__WRITE__OP_RELEASE)
                n->release_handle = r->write->release->handle;
            break;
        case COORD__V1__REQUEST__KIND_READ:
            n->read = (int)r->read->op_case;
            break;
        case COORD__V1__REQUEST__KIND_WATCH:
            n->watch = r->watch->id;
            n->known_revision = r->watch->known_revision;
            n->subtree = r->watch->subtree;
            n->children = r->watch->children;
            n->value = r->watch->value;
            break;
        case COORD__V1__REQUEST__KIND_UNWATCH:
            n->unwatch = r->unwatch->id;
            break;
        default:
            CHECK(!"a request of some kind");
        }
    }
}

static void note_send(struct bench *b, const struct client_effect *e)
{
    Coord__V1__SessionRequest *m =
        coord__v1__session_request__unpack(NULL, e->bytes.length, e->bytes.data);
    CHECK(m != NULL);
    CHECK(e->link == b->link);
    b->sends_count++;
    if (m->begin_case == COORD__V1__SESSION_REQUEST__BEGIN_OPEN) {
        b->opens_count++;
        CHECK(m->open->nonce.len == sizeof b->nonce);
        memcpy(b->nonce, m->open->nonce.data, sizeof b->nonce);
    }
    if (m->begin_case == COORD__V1__SESSION_REQUEST__BEGIN_ATTACH) {
        b->attaches_count++;
        CHECK(m->attach->session == BENCH_SESSION && m->attach->secret.len == 16);
    }
    note_requests(b, m);
    coord__v1__session_request__free_unpacked(m, NULL);
}

static void note_beat(struct bench *b, const struct client_effect *e)
{
    Coord__V1__KeepAliveRequest *m =
        coord__v1__keep_alive_request__unpack(NULL, e->bytes.length, e->bytes.data);
    CHECK(m != NULL && m->n_beats == 1 && m->beats[0]->session == BENCH_SESSION);
    b->stamp = m->beats[0]->stamp;
    b->beats_count++;
    coord__v1__keep_alive_request__free_unpacked(m, NULL);
}

static void note(struct bench *b, const struct client_effect *e)
{
    switch (e->kind) {
    case CLIENT_EFFECT_CONNECT:
        b->connects_count++;
        b->link = e->link;
        snprintf(b->address, sizeof b->address, "%s", e->address);
        break;
    case CLIENT_EFFECT_DISCONNECT:
        b->disconnects_count++;
        break;
    case CLIENT_EFFECT_SEND:
        note_send(b, e);
        break;
    case CLIENT_EFFECT_KEEPALIVE:
        note_beat(b, e);
        break;
    case CLIENT_EFFECT_ANSWER:
        CHECK(b->answers_count < BENCH_LOG_MAX);
        b->answers[b->answers_count++] = (struct bench_answer){
            .token = e->token,
            .status = e->status,
            .maybe_applied = e->maybe_applied,
            .from_server = e->answer != NULL,
            .revision = e->answer != NULL ? e->answer->revision : 0,
        };
        break;
    case CLIENT_EFFECT_WATCHED:
        CHECK(b->watched_count < BENCH_LOG_MAX);
        b->watched[b->watched_count++] = e->event->revision;
        break;
    case CLIENT_EFFECT_REVOKED:
        CHECK(b->revoked_count < BENCH_LOG_MAX);
        b->revoked[b->revoked_count++] = e->event->handle;
        break;
    case CLIENT_EFFECT_STATE:
        CHECK(b->states_count < BENCH_LOG_MAX);
        b->states[b->states_count++] = e->state;
        b->state_status = e->status;
        break;
    case CLIENT_EFFECT_LATE_GRANT:
        b->late_grants_count++;
        break;
    }
}

static void step(struct bench *b, struct client_event event)
{
    event.now_ns = b->now_ns;
    client_session_step(b->session, &event, &b->out);
    b->wake_at_ns = b->out.wake_at_ns;
    for (uint32_t i = 0; i < b->out.count; i++)
        note(b, &b->out.list[i]);
}

void bench_init_with(struct bench *b, struct client_session_config config)
{
    memset(b, 0, sizeof *b);
    static const char *const endpoints[] = {"a:1", "b:1", "c:1"};
    if (config.endpoints_count == 0) {
        config.endpoints = endpoints;
        config.endpoints_count = 3;
    }
    b->now_ns = 1000 * NS_PER_S;
    b->ttl_ms = BENCH_TTL_MS;
    client_effects_init(&b->out);
    b->session = client_session_new(&config);
    step(b, (struct client_event){.kind = CLIENT_EVENT_TIME});
}

void bench_init(struct bench *b)
{
    bench_init_with(b, (struct client_session_config){
                           .ttl_ms = BENCH_TTL_MS,
                           .grace_ms = BENCH_GRACE_MS,
                           .nonce = "0123456789abcde",
                           .host = "here",
                           .pid = 5,
                           .seed = 1,
                       });
}

void bench_release(struct bench *b)
{
    client_effects_release(&b->out);
    client_session_free(b->session);
}

void bench_clear(struct bench *b)
{
    b->requests_count = b->answers_count = b->states_count = b->watched_count = 0;
    b->opens_count = b->attaches_count = b->beats_count = b->connects_count = 0;
    b->revoked_count = 0;
    b->disconnects_count = b->late_grants_count = b->sends_count = 0;
}

static void wait_with(struct bench *b, int64_t ms, bool answer_beats)
{
    int64_t until_ns = b->now_ns + ms_to_ns(ms);
    int spins = 0;
    while (b->wake_at_ns <= until_ns) {
        spins = b->wake_at_ns <= b->now_ns ? spins + 1 : 0;
        CHECK(spins < 3); /* it must not ask for a time that has come */
        b->now_ns = ns_max(b->now_ns, b->wake_at_ns);
        int beats_count = b->beats_count;
        step(b, (struct client_event){.kind = CLIENT_EVENT_TIME});
        if (answer_beats && b->beats_count != beats_count)
            bench_beat(b, ERR_OK);
    }
    b->now_ns = until_ns;
}

void bench_wait_ms(struct bench *b, int64_t ms)
{
    wait_with(b, ms, false);
}

void bench_beating_ms(struct bench *b, int64_t ms)
{
    wait_with(b, ms, true);
}

void bench_up(struct bench *b)
{
    step(b, (struct client_event){.kind = CLIENT_EVENT_LINK_UP, .link = b->link});
}

void bench_down(struct bench *b)
{
    step(b, (struct client_event){.kind = CLIENT_EVENT_LINK_DOWN, .link = b->link});
}

void bench_raw(struct bench *b, const void *data, size_t length)
{
    step(b, (struct client_event){
                .kind = CLIENT_EVENT_MESSAGE, .link = b->link, .bytes = slice_of(data, length)});
}

void bench_reply(struct bench *b, Coord__V1__Item **items, size_t count)
{
    Coord__V1__SessionReply m = COORD__V1__SESSION_REPLY__INIT;
    m.items = items;
    m.n_items = count;
    size_t length = coord__v1__session_reply__get_packed_size(&m);
    uint8_t *data = check_malloc(length);
    coord__v1__session_reply__pack(&m, data);
    bench_raw(b, data, length);
    free(data);
}

static void reply_one(struct bench *b, Coord__V1__Item *item)
{
    bench_reply(b, &item, 1);
}

void bench_begun(struct bench *b, enum err status)
{
    uint8_t secret[16] = "a secret of 16..";
    Coord__V1__SessionOpened opened = COORD__V1__SESSION_OPENED__INIT;
    opened.session = BENCH_SESSION;
    opened.secret = (ProtobufCBinaryData){sizeof secret, secret};
    opened.ttl_ms = b->ttl_ms;
    opened.last_seq = b->last_seq;
    Coord__V1__Answer answer = COORD__V1__ANSWER__INIT;
    answer.status = (Coord__V1__Status)status;
    if (status == ERR_OK) {
        answer.body_case = COORD__V1__ANSWER__BODY_OPENED;
        answer.opened = &opened;
    }
    Coord__V1__Item item = COORD__V1__ITEM__INIT;
    item.kind_case = COORD__V1__ITEM__KIND_BEGUN;
    item.begun = &answer;
    reply_one(b, &item);
}

void bench_attach(struct bench *b)
{
    bench_up(b);
    bench_begun(b, ERR_OK);
    bench_beat(b, ERR_OK);
}

void bench_open(struct bench *b)
{
    bench_init(b);
    bench_attach(b);
    CHECK(client_session_state(b->session) == CLIENT_SESSION_SAFE);
    bench_clear(b);
}

void bench_beat(struct bench *b, enum err status)
{
    step(b, (struct client_event){
                .kind = CLIENT_EVENT_KEEPALIVE, .status = status, .stamp = b->stamp});
}

void bench_redirect(struct bench *b, const char *address)
{
    Coord__V1__Redirect redirect = COORD__V1__REDIRECT__INIT;
    redirect.leader = address[0] != 0;
    redirect.address = (char *)(uintptr_t)address;
    Coord__V1__Item item = COORD__V1__ITEM__INIT;
    item.kind_case = COORD__V1__ITEM__KIND_REDIRECT;
    item.redirect = &redirect;
    reply_one(b, &item);
}

void bench_answer(struct bench *b, uint64_t seq, enum err status)
{
    Coord__V1__Answer answer = COORD__V1__ANSWER__INIT;
    answer.status = (Coord__V1__Status)status;
    answer.revision = seq < 1000000 ? 1000 + seq : 500;
    Coord__V1__Answered answered = COORD__V1__ANSWERED__INIT;
    answered.seq = seq;
    answered.answer = &answer;
    Coord__V1__Item item = COORD__V1__ITEM__INIT;
    item.kind_case = COORD__V1__ITEM__KIND_ANSWERED;
    item.answered = &answered;
    reply_one(b, &item);
}

static void tell_event(struct bench *b, uint64_t watch, Coord__V1__Event__Kind kind,
                       uint64_t revision)
{
    Coord__V1__Event event = COORD__V1__EVENT__INIT;
    event.watch = watch;
    event.revision = revision;
    event.kind = kind;
    Coord__V1__Item item = COORD__V1__ITEM__INIT;
    item.kind_case = COORD__V1__ITEM__KIND_EVENT;
    item.event = &event;
    reply_one(b, &item);
}

void bench_event(struct bench *b, uint64_t watch, uint64_t revision)
{
    tell_event(b, watch, COORD__V1__EVENT__KIND__CONTENT, revision);
}

void bench_deleted(struct bench *b, uint64_t watch, uint64_t revision)
{
    tell_event(b, watch, COORD__V1__EVENT__KIND__DELETED, revision);
}

void bench_resync(struct bench *b, uint64_t watch, uint64_t revision)
{
    tell_event(b, watch, COORD__V1__EVENT__KIND__RESYNC, revision);
}

void bench_progress(struct bench *b, uint64_t revision)
{
    tell_event(b, 0, COORD__V1__EVENT__KIND__PROGRESS, revision);
}

void bench_revoke(struct bench *b, uint64_t handle)
{
    Coord__V1__Event event = COORD__V1__EVENT__INIT;
    event.kind = COORD__V1__EVENT__KIND__REVOKED;
    event.path = (char[]){"/a"};
    event.generation = 9;
    event.handle = handle;
    Coord__V1__Item item = COORD__V1__ITEM__INIT;
    item.kind_case = COORD__V1__ITEM__KIND_EVENT;
    item.event = &event;
    reply_one(b, &item);
}

static uint64_t submit(struct bench *b, struct client_event event, int64_t deadline_ms)
{
    event.token = ++b->next_token;
    event.deadline_ns = deadline_ms < 0 ? NEVER_NS : b->now_ns + ms_to_ns(deadline_ms);
    step(b, event);
    return event.token;
}

static uint64_t submit_write(struct bench *b, const Coord__V1__Write *write, int64_t deadline_ms)
{
    return submit(b, (struct client_event){.kind = CLIENT_EVENT_SUBMIT_WRITE, .write = write},
                  deadline_ms);
}

uint64_t bench_put(struct bench *b, int64_t deadline_ms)
{
    Coord__V1__Put put = COORD__V1__PUT__INIT;
    put.path = (char[]){"/a"};
    Coord__V1__Write write = COORD__V1__WRITE__INIT;
    write.op_case = COORD__V1__WRITE__OP_PUT;
    write.put = &put;
    return submit_write(b, &write, deadline_ms);
}

uint64_t bench_acquire(struct bench *b, int64_t deadline_ms)
{
    Coord__V1__Acquire acquire = COORD__V1__ACQUIRE__INIT;
    acquire.path = (char[]){"/a"};
    acquire.handle = 1;
    acquire.mode = COORD__V1__LOCK_MODE__LOCK_EXCLUSIVE;
    acquire.wait = 1;
    Coord__V1__Write write = COORD__V1__WRITE__INIT;
    write.op_case = COORD__V1__WRITE__OP_ACQUIRE;
    write.acquire = &acquire;
    return submit_write(b, &write, deadline_ms);
}

uint64_t bench_release_lock(struct bench *b, int64_t deadline_ms)
{
    Coord__V1__Release release = COORD__V1__RELEASE__INIT;
    release.path = (char[]){"/a"};
    release.handle = 1;
    Coord__V1__Write write = COORD__V1__WRITE__INIT;
    write.op_case = COORD__V1__WRITE__OP_RELEASE;
    write.release = &release;
    return submit_write(b, &write, deadline_ms);
}

uint64_t bench_let_go(struct bench *b, uint64_t handle, int64_t deadline_ms)
{
    Coord__V1__Release release = COORD__V1__RELEASE__INIT;
    release.path = (char[]){"/a"};
    release.handle = handle;
    Coord__V1__Write write = COORD__V1__WRITE__INIT;
    write.op_case = COORD__V1__WRITE__OP_RELEASE;
    write.release = &release;
    return submit(b, (struct client_event){.kind = CLIENT_EVENT_LET_GO, .write = &write},
                  deadline_ms);
}

uint64_t bench_get(struct bench *b, int64_t deadline_ms)
{
    Coord__V1__Get get = COORD__V1__GET__INIT;
    get.path = (char[]){"/a"};
    Coord__V1__Read read = COORD__V1__READ__INIT;
    read.op_case = COORD__V1__READ__OP_GET;
    read.get = &get;
    return submit(b, (struct client_event){.kind = CLIENT_EVENT_SUBMIT_READ, .read = &read},
                  deadline_ms);
}

uint64_t bench_watch(struct bench *b, uint64_t id, int64_t deadline_ms)
{
    Coord__V1__Watch watch = COORD__V1__WATCH__INIT;
    watch.id = id;
    watch.path = (char[]){"/a"};
    watch.content = 1;
    return submit(b, (struct client_event){.kind = CLIENT_EVENT_WATCH, .watch = &watch},
                  deadline_ms);
}

/* With everything asked for. */
uint64_t bench_watch_from(struct bench *b, uint64_t id, uint64_t revision)
{
    Coord__V1__Watch watch = COORD__V1__WATCH__INIT;
    watch.id = id;
    watch.path = (char[]){"/a"};
    watch.content = watch.lock = watch.subtree = watch.children = watch.value = 1;
    watch.known_revision = revision;
    return submit(b, (struct client_event){.kind = CLIENT_EVENT_WATCH, .watch = &watch}, -1);
}

void bench_unwatch(struct bench *b, uint64_t id)
{
    step(b, (struct client_event){.kind = CLIENT_EVENT_UNWATCH, .watch_id = id});
}

void bench_give_up(struct bench *b, uint64_t token)
{
    step(b, (struct client_event){.kind = CLIENT_EVENT_GIVE_UP, .token = token});
}

uint64_t bench_close(struct bench *b, int64_t deadline_ms)
{
    return submit(b, (struct client_event){.kind = CLIENT_EVENT_CLOSE}, deadline_ms);
}

int bench_status(const struct bench *b, uint64_t token)
{
    int status = -1;
    for (int i = 0; i < b->answers_count; i++)
        if (b->answers[i].token == token)
            status = status == -1 ? (int)b->answers[i].status : -2;
    return status;
}

const struct bench_request *bench_sent(const struct bench *b, uint64_t seq)
{
    for (int i = b->requests_count; i-- > 0;)
        if (b->requests[i].seq == seq)
            return &b->requests[i];
    return NULL;
}

int64_t bench_safe_ms(const struct bench *b)
{
    return client_session_safe_ns(b->session, b->now_ns) / NS_PER_MS;
}
