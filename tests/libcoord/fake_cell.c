/* fake_cell.c - see fake_cell.h. */
#include "tests/libcoord/fake_cell.h"

#include <stdlib.h>
#include <string.h>

#include "libcoord/base/check.h"

enum { ELECTION_MS = 400, MESSAGE_DELAY_MS_MAX = 150, STALL_MS = 2500 };

static const char *const addresses[FAKE_SERVERS] = {"a:1", "b:1", "c:1"};

const char *fake_address(int server)
{
    return addresses[server];
}

/* ---- pipes ---- */

static void pipe_clear(struct fake_pipe *p)
{
    for (struct fake_message *m = p->first, *next; m != NULL; m = next) {
        next = m->next;
        free(m);
    }
    *p = (struct fake_pipe){NULL, NULL};
}

static void pipe_put(struct fake_cell *f, struct fake_pipe *p, struct slice bytes)
{
    struct fake_message *m = check_malloc(sizeof *m + bytes.length);
    m->next = NULL;
    m->length = bytes.length;
    memcpy(m->bytes, bytes.data, bytes.length);
    m->link = f->session_stream.link;
    m->due_ms = f->now_ms + (int64_t)prng_below(&f->prng, (uint64_t)f->delay_ms);
    if (!f->calm && prng_chance(&f->prng, 1, 300))
        m->due_ms += (int64_t)prng_below(&f->prng, STALL_MS);
    if (p->last != NULL && p->last->due_ms > m->due_ms)
        m->due_ms = p->last->due_ms; /* order is kept */
    if (p->last == NULL)
        p->first = m;
    else
        p->last->next = m;
    p->last = m;
}

static struct fake_message *pipe_take(struct fake_cell *f, struct fake_pipe *p)
{
    struct fake_message *m = p->first;
    if (m == NULL || m->due_ms > f->now_ms)
        return NULL;
    p->first = m->next;
    if (p->first == NULL)
        p->last = NULL;
    return m;
}

static void stream_clear(struct fake_stream *s)
{
    pipe_clear(&s->in);
    pipe_clear(&s->out);
    *s = (struct fake_stream){.server = -1};
}

static void stream_end(struct fake_cell *f, struct fake_stream *s)
{
    if (s->ended || s->server < 0)
        return;
    s->ended = true;
    s->ended_ms = f->now_ms + (int64_t)prng_below(&f->prng, (uint64_t)f->delay_ms);
}

/* ---- replies ---- */

static void reply(struct fake_cell *f, Coord__V1__Item *item)
{
    Coord__V1__SessionReply m = COORD__V1__SESSION_REPLY__INIT;
    m.items = &item;
    m.n_items = 1;
    uint8_t bytes[512];
    CHECK(coord__v1__session_reply__get_packed_size(&m) <= sizeof bytes);
    size_t length = coord__v1__session_reply__pack(&m, bytes);
    pipe_put(f, &f->session_stream.out, slice_of(bytes, length));
}

static void answer(struct fake_cell *f, uint64_t seq, bool read, enum err status, uint64_t revision)
{
    Coord__V1__Answer a = COORD__V1__ANSWER__INIT;
    a.status = (Coord__V1__Status)status;
    a.revision = revision;
    Coord__V1__Answered answered = COORD__V1__ANSWERED__INIT;
    answered.seq = seq;
    answered.read = read;
    answered.answer = &a;
    Coord__V1__Item item = COORD__V1__ITEM__INIT;
    item.kind_case = COORD__V1__ITEM__KIND_ANSWERED;
    item.answered = &answered;
    reply(f, &item);
}

static void tell_event(struct fake_cell *f)
{
    if (!f->session_stream.watching)
        return;
    Coord__V1__Event event = COORD__V1__EVENT__INIT;
    event.watch = 1;
    event.kind = COORD__V1__EVENT__KIND__CONTENT;
    event.revision = f->node_revision;
    Coord__V1__Item item = COORD__V1__ITEM__INIT;
    item.kind_case = COORD__V1__ITEM__KIND_EVENT;
    item.event = &event;
    reply(f, &item);
}

static Coord__V1__Redirect redirect(struct fake_cell *f)
{
    Coord__V1__Redirect r = COORD__V1__REDIRECT__INIT;
    /* Followers may name one that is gone, for a while. */
    int named = f->leader >= 0 ? f->leader : (int)prng_below(&f->prng, FAKE_SERVERS + 1);
    if (named < FAKE_SERVERS) {
        r.leader = (uint32_t)named + 1;
        r.address = (char *)(uintptr_t)addresses[named];
    }
    f->redirects_count++;
    return r;
}

static void reply_redirect(struct fake_cell *f)
{
    Coord__V1__Redirect r = redirect(f);
    Coord__V1__Item item = COORD__V1__ITEM__INIT;
    item.kind_case = COORD__V1__ITEM__KIND_REDIRECT;
    item.redirect = &r;
    reply(f, &item);
    stream_end(f, &f->session_stream);
}

/* ---- what the servers agree on ---- */

static void settle(struct fake_cell *f, uint64_t seq, enum err status)
{
    struct fake_applied *a = &f->applied[seq];
    CHECK(!a->answered);
    a->answered = true;
    a->status = status;
    if (f->session_stream.begun)
        answer(f, seq, false, status, f->revision);
}

static void grant_next(struct fake_cell *f)
{
    if (f->holder != 0 || f->line_count == 0)
        return;
    f->holder = f->line[0];
    f->line_count--;
    memmove(f->line, f->line + 1, f->line_count * sizeof f->line[0]);
    f->grants_count++;
    if (f->holder != FAKE_SOMEBODY_ELSE)
        settle(f, f->holder, ERR_OK);
}

static void join_line(struct fake_cell *f, uint64_t who)
{
    CHECK(f->line_count < FAKE_LINE_MAX);
    f->line[f->line_count++] = who;
    grant_next(f);
}

static void leave_line(struct fake_cell *f, uint64_t seq)
{
    for (uint32_t i = 0; i < f->line_count; i++) {
        if (f->line[i] != seq)
            continue;
        f->line_count--;
        memmove(f->line + i, f->line + i + 1, (f->line_count - i) * sizeof f->line[0]);
        settle(f, seq, ERR_CANCELLED);
        return;
    }
}

static void release(struct fake_cell *f)
{
    f->revision++;
    f->holder = 0;
    grant_next(f);
}

static void expire(struct fake_cell *f)
{
    f->expired = true;
    f->expiries_count++;
    for (uint32_t i = f->line_count; i-- > 0;)
        if (f->line[i] != FAKE_SOMEBODY_ELSE) {
            f->line_count--;
            memmove(f->line + i, f->line + i + 1, (f->line_count - i) * sizeof f->line[0]);
        }
    if (f->holder != 0 && f->holder != FAKE_SOMEBODY_ELSE)
        release(f);
}

static void apply(struct fake_cell *f, uint64_t seq, const Coord__V1__Write *w)
{
    f->applied[seq].times++;
    CHECK(f->applied[seq].times == 1);
    switch (w->op_case) {
    case COORD__V1__WRITE__OP_PUT:
        f->node_revision = ++f->revision;
        tell_event(f);
        settle(f, seq, ERR_OK);
        break;
    case COORD__V1__WRITE__OP_ACQUIRE:
        f->revision++;
        join_line(f, seq);
        break;
    case COORD__V1__WRITE__OP_RELEASE:
        if (f->holder != 0 && f->holder != FAKE_SOMEBODY_ELSE) {
            release(f);
            settle(f, seq, ERR_OK);
        } else {
            settle(f, seq, ERR_NOT_HELD);
        }
        break;
    case COORD__V1__WRITE__OP_CANCEL:
        if (f->holder == w->cancel->acquire_seq)
            release(f);
        leave_line(f, w->cancel->acquire_seq);
        settle(f, seq, ERR_OK);
        break;
    case COORD__V1__WRITE__OP_END_SESSION:
        settle(f, seq, ERR_OK);
        expire(f);
        break;
    default:
        CHECK(!"a write the test does not make");
    }
}

/* The client told that it will not ask for these again. */
static void forget_below(struct fake_cell *f, uint64_t lowest)
{
    for (; f->lowest < lowest; f->lowest++) {
        struct fake_applied *a = &f->applied[f->lowest];
        CHECK(a->answered || a->times == 0);
        a->forgotten = true;
    }
}

static void write_request(struct fake_cell *f, uint64_t seq, uint64_t lowest,
                          const Coord__V1__Write *w)
{
    struct fake_stream *s = &f->session_stream;
    CHECK(seq > 0 && seq < FAKE_SEQS_MAX);
    CHECK(lowest <= seq);
    forget_below(f, lowest);
    struct fake_applied *a = &f->applied[seq];
    CHECK(!a->forgotten);
    /* Overload is told before anybody looks whether it is on its way already. */
    if (!f->calm && prng_chance(&f->prng, 1, 100)) {
        f->throttled_count++;
        answer(f, seq, false, ERR_THROTTLED, f->revision);
    } else if (a->answered) {
        answer(f, seq, false, a->status, f->revision);
    } else if (a->times > 0) {
        return; /* in line */
    } else if (seq <= f->highest) {
        answer(f, seq, false, ERR_MAYBE_APPLIED, f->revision);
    } else {
        CHECK(seq > s->highest_seen);
        s->highest_seen = seq;
        f->highest = seq;
        apply(f, seq, w);
    }
}

static void request(struct fake_cell *f, const Coord__V1__Request *r, uint64_t lowest)
{
    switch (r->kind_case) {
    case COORD__V1__REQUEST__KIND_WRITE:
        write_request(f, r->seq, lowest, r->write);
        break;
    case COORD__V1__REQUEST__KIND_READ:
        answer(f, r->seq, true, ERR_OK, f->revision);
        break;
    case COORD__V1__REQUEST__KIND_WATCH:
        f->session_stream.watching = true;
        if (r->watch->known_revision != 0 && f->node_revision > r->watch->known_revision)
            tell_event(f);
        answer(f, r->seq, true, ERR_OK, f->revision);
        break;
    default:
        break;
    }
}

static void begun(struct fake_cell *f, enum err status)
{
    Coord__V1__SessionOpened opened = COORD__V1__SESSION_OPENED__INIT;
    uint8_t secret[16] = {1};
    Coord__V1__Answer a = COORD__V1__ANSWER__INIT;
    a.status = (Coord__V1__Status)status;
    opened.session = f->session;
    opened.secret = (ProtobufCBinaryData){sizeof secret, secret};
    opened.ttl_ms = FAKE_TTL_MS;
    if (status == ERR_OK) {
        a.body_case = COORD__V1__ANSWER__BODY_OPENED;
        a.opened = &opened;
    }
    Coord__V1__Item item = COORD__V1__ITEM__INIT;
    item.kind_case = COORD__V1__ITEM__KIND_BEGUN;
    item.begun = &a;
    reply(f, &item);
    if (status == ERR_OK)
        f->session_stream.begun = true;
    else
        stream_end(f, &f->session_stream);
}

static void renew(struct fake_cell *f)
{
    f->lease_until_ms = f->now_ms + FAKE_TTL_MS;
}

static void session_message(struct fake_cell *f, const struct fake_message *message)
{
    Coord__V1__SessionRequest *m =
        coord__v1__session_request__unpack(NULL, message->length, message->bytes);
    CHECK(m != NULL);
    struct fake_stream *s = &f->session_stream;
    CHECK(s->begun == (m->begin_case == COORD__V1__SESSION_REQUEST__BEGIN__NOT_SET));
    if (m->begin_case == COORD__V1__SESSION_REQUEST__BEGIN_OPEN) {
        CHECK(m->n_requests == 0);
        if (f->session == 0) {
            f->session = 7;
            memcpy(f->nonce, m->open->nonce.data, sizeof f->nonce);
            renew(f); /* when it is applied; asked again it is not */
        }
        CHECK(memcmp(f->nonce, m->open->nonce.data, sizeof f->nonce) == 0);
        begun(f, f->expired ? ERR_EXPIRED : ERR_OK);
    } else if (m->begin_case == COORD__V1__SESSION_REQUEST__BEGIN_ATTACH) {
        CHECK(m->attach->session == f->session); /* watches may come with it */
        begun(f, f->expired ? ERR_EXPIRED : ERR_OK);
    }
    for (size_t i = 0; i < m->n_requests && !f->expired; i++)
        request(f, m->requests[i], m->lowest);
    coord__v1__session_request__free_unpacked(m, NULL);
}

static void keepalive_message(struct fake_cell *f, const struct fake_message *message)
{
    Coord__V1__KeepAliveRequest *m =
        coord__v1__keep_alive_request__unpack(NULL, message->length, message->bytes);
    CHECK(m != NULL && m->n_beats == 1);
    Coord__V1__KeepAliveReply r = COORD__V1__KEEP_ALIVE_REPLY__INIT;
    Coord__V1__BeatAnswer a = COORD__V1__BEAT_ANSWER__INIT, *answers[] = {&a};
    Coord__V1__Redirect elsewhere;
    a.session = m->beats[0]->session;
    a.stamp = m->beats[0]->stamp;
    if (f->keepalive_stream.server == f->leader) {
        a.status = (Coord__V1__Status)(f->expired ? ERR_EXPIRED : ERR_OK);
        if (!f->expired)
            renew(f);
        r.answers = answers;
        r.n_answers = 1;
    } else {
        elsewhere = redirect(f);
        r.redirect = &elsewhere;
    }
    uint8_t bytes[256];
    size_t length = coord__v1__keep_alive_reply__pack(&r, bytes);
    pipe_put(f, &f->keepalive_stream.out, slice_of(bytes, length));
    coord__v1__keep_alive_request__free_unpacked(m, NULL);
}

/* ---- time ---- */

static void elect(struct fake_cell *f)
{
    int first = (int)prng_below(&f->prng, FAKE_SERVERS);
    for (int i = 0; i < FAKE_SERVERS; i++) {
        int server = (first + i) % FAKE_SERVERS;
        if (f->health[server] != FAKE_RUNS)
            continue;
        f->leader = server;
        renew(f); /* a new leader gives everybody the full lease */
        return;
    }
}

static void depose(struct fake_cell *f)
{
    f->leader = -1;
    f->election_ms = f->now_ms + ELECTION_MS;
    struct fake_stream *s = &f->session_stream;
    if (s->server >= 0 && f->health[s->server] == FAKE_RUNS && !s->ended && s->begun)
        reply_redirect(f);
}

static void fault(struct fake_cell *f)
{
    int server = (int)prng_below(&f->prng, FAKE_SERVERS);
    switch (prng_below(&f->prng, 6)) {
    case 0:
    case 1:
        if (f->leader >= 0)
            server = f->leader;
        f->health[server] = prng_chance(&f->prng, 1, 2) ? FAKE_DEAD : FAKE_STOPPED;
        f->mend_ms[server] = f->now_ms + (int64_t)prng_between(&f->prng, 100, 4000);
        if (f->health[server] == FAKE_DEAD && f->session_stream.server == server)
            stream_end(f, &f->session_stream);
        break;
    case 2:
        stream_end(f, &f->session_stream);
        break;
    case 3:
        if (f->leader >= 0)
            depose(f);
        break;
    case 4:
        if (prng_chance(&f->prng, 1, 4))
            f->cut_ms = f->now_ms + (int64_t)prng_between(&f->prng, 100, 2 * FAKE_TTL_MS);
        break;
    default:
        if (f->holder == FAKE_SOMEBODY_ELSE)
            release(f);
        else
            join_line(f, FAKE_SOMEBODY_ELSE);
    }
}

static bool server_runs(const struct fake_cell *f, const struct fake_stream *s)
{
    return s->server >= 0 && !s->ended && f->health[s->server] == FAKE_RUNS;
}

static bool cut_off(const struct fake_cell *f)
{
    return f->cut_ms > f->now_ms && !f->calm;
}

static void serve(struct fake_cell *f)
{
    struct fake_stream *s = &f->session_stream;
    struct fake_message *m;
    while (server_runs(f, s) && (m = pipe_take(f, &s->in)) != NULL) {
        if (s->server == f->leader)
            session_message(f, m);
        else
            reply_redirect(f);
        free(m);
    }
    s = &f->keepalive_stream;
    while (server_runs(f, s) && (m = pipe_take(f, &s->in)) != NULL) {
        keepalive_message(f, m);
        free(m);
    }
}

void fake_tick(struct fake_cell *f)
{
    f->now_ms++;
    for (int i = 0; i < FAKE_SERVERS; i++)
        if (f->health[i] != FAKE_RUNS && (f->calm || f->mend_ms[i] <= f->now_ms)) {
            /* Whoever was away leads no longer. */
            if (f->leader == i)
                depose(f);
            f->health[i] = FAKE_RUNS;
        }
    if (f->leader >= 0 && f->health[f->leader] != FAKE_RUNS &&
        f->mend_ms[f->leader] - f->now_ms > ELECTION_MS && prng_chance(&f->prng, 1, 100))
        depose(f);
    if (f->leader < 0 && f->election_ms <= f->now_ms)
        elect(f);
    if (!f->calm && prng_chance(&f->prng, 1, 700))
        fault(f);
    if (f->calm && f->holder == FAKE_SOMEBODY_ELSE)
        release(f);
    if (!cut_off(f))
        serve(f);
    bool leads = f->leader >= 0 && f->health[f->leader] == FAKE_RUNS;
    if (leads && f->session != 0 && !f->expired && f->lease_until_ms < f->now_ms)
        expire(f);
}

bool fake_session_lives(const struct fake_cell *f)
{
    return f->session != 0 && !f->expired;
}

/* ---- the client's end ---- */

void fake_init(struct fake_cell *f, uint64_t seed)
{
    memset(f, 0, sizeof *f);
    prng_init(&f->prng, seed);
    f->leader = (int)prng_below(&f->prng, FAKE_SERVERS);
    f->delay_ms = (int64_t)prng_between(&f->prng, 1, MESSAGE_DELAY_MS_MAX);
    f->lowest = 1;
    f->revision = f->node_revision = 10;
    f->session_stream.server = f->keepalive_stream.server = -1;
}

void fake_release(struct fake_cell *f)
{
    pipe_clear(&f->stale);
    stream_clear(&f->session_stream);
    stream_clear(&f->keepalive_stream);
}

void fake_connect(struct fake_cell *f, const char *address, uint64_t link)
{
    struct fake_stream *s = &f->session_stream;
    if (f->stale.first == NULL) {
        f->stale = s->out; /* what was under way may still come */
        s->out = (struct fake_pipe){NULL, NULL};
    }
    stream_clear(s);
    for (int i = 0; i < FAKE_SERVERS; i++)
        if (strcmp(address, addresses[i]) == 0)
            s->server = i;
    CHECK(s->server >= 0);
    s->link = link;
    if (f->health[s->server] == FAKE_DEAD)
        stream_end(f, s);
}

void fake_send(struct fake_cell *f, struct slice bytes)
{
    pipe_put(f, &f->session_stream.in, bytes);
}

void fake_keepalive(struct fake_cell *f, struct slice bytes)
{
    struct fake_stream *s = &f->keepalive_stream;
    if (s->server != f->session_stream.server) {
        /* Answers that are under way from the former server still come. */
        pipe_clear(&s->in);
        s->server = f->session_stream.server;
    }
    if (s->server >= 0 && f->health[s->server] != FAKE_DEAD)
        pipe_put(f, &s->in, bytes);
}

struct fake_message *fake_receive(struct fake_cell *f)
{
    if (cut_off(f))
        return NULL;
    struct fake_message *m = pipe_take(f, &f->stale);
    return m != NULL ? m : pipe_take(f, &f->session_stream.out);
}

struct fake_message *fake_receive_keepalive(struct fake_cell *f)
{
    return cut_off(f) ? NULL : pipe_take(f, &f->keepalive_stream.out);
}

bool fake_link_is_down(struct fake_cell *f)
{
    struct fake_stream *s = &f->session_stream;
    if (cut_off(f) || s->server < 0 || !s->ended || s->ended_ms > f->now_ms || s->out.first != NULL)
        return false;
    uint64_t link = s->link;
    stream_clear(s);
    s->link = link;
    return true;
}
