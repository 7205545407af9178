/* session.c - one session of the client library whose servers, network and clock are
 * the input. What is demanded holds whatever they do: a call is answered once, states
 * come in order, nothing is asked for in the past, what is sent is well-formed; and
 * once the session is over and all deadlines are, no call is left unanswered. */
#include "libcoord/src/session.h"

#include <stdlib.h>
#include <string.h>

#include "libcoord/base/units.h"
#include "tests/fuzz/fuzz.h"

enum {
    OP_REPLY, /* a SessionReply */
    OP_UP,
    OP_DOWN,
    OP_BEGUN, /* a good answer to Open or Attach; arg: whether locks were taken by force */
    OP_BEAT,  /* arg: the status, and 0x80: an old stamp */
    OP_REDIRECT,
    OP_WAIT, /* arg * arg ms */
    OP_CALL, /* arg: which */
    OP_GIVE_UP,
    OP_UNWATCH,
    OP_CLOSE,
    OPS,
};
enum {
    TOKENS_MAX = FUZZ_PARTS_MAX + 1,
    WAIT_STEPS = 200,
    LAST_STEPS = 20000,
    SPINS_MAX = 3,
    SESSION = 77,
    DEADLINE_MS = 9000,
    LAST_MS = 400000,
};

struct life {
    struct client_session *session;
    struct client_effects out;
    int64_t now_ns, wake_at_ns;
    uint64_t link, stamp, tokens_count, watches_count;
    bool answered[TOKENS_MAX];
    enum client_session_state state;
    int spins;
    bool fooled; /* a server's reply had strings that are none: they may come back */
};

const ProtobufCMessageDescriptor *fuzz_type(uint8_t op)
{
    return op % OPS == OP_REPLY ? &coord__v1__session_reply__descriptor : NULL;
}

/* ---- what it asks for ---- */

static void judge_state(struct life *l, enum client_session_state state)
{
    DEMAND(state != l->state && l->state < CLIENT_SESSION_EXPIRED);
    DEMAND(state != CLIENT_SESSION_JEOPARDY || l->state == CLIENT_SESSION_SAFE);
    DEMAND(state != CLIENT_SESSION_FAILED || l->state == CLIENT_SESSION_OPENING);
    l->state = state;
}

static void take_stamp(struct life *l, const struct buffer *bytes)
{
    Coord__V1__KeepAliveRequest *m =
        coord__v1__keep_alive_request__unpack(NULL, bytes->length, bytes->data);

    DEMAND(m != NULL && m->n_beats == 1);
    l->stamp = m->beats[0]->stamp;
    coord__v1__keep_alive_request__free_unpacked(m, NULL);
}

static void judge(struct life *l, const struct client_effect *e)
{
    switch (e->kind) {
    case CLIENT_EFFECT_CONNECT:
        DEMAND(e->link > l->link && strlen(e->address) <= CLIENT_SESSION_ADDRESS_BYTES_MAX);
        l->link = e->link;
        break;
    case CLIENT_EFFECT_SEND:
        DEMAND(e->link == l->link);
        DEMAND(l->fooled ||
               fuzz_is_message(&coord__v1__session_request__descriptor, buffer_slice(&e->bytes)));
        break;
    case CLIENT_EFFECT_KEEPALIVE:
        take_stamp(l, &e->bytes);
        break;
    case CLIENT_EFFECT_ANSWER:
        DEMAND(e->token > 0 && e->token <= l->tokens_count && !l->answered[e->token]);
        l->answered[e->token] = true;
        break;
    case CLIENT_EFFECT_STATE:
        judge_state(l, e->state);
        break;
    case CLIENT_EFFECT_WATCHED:
    case CLIENT_EFFECT_REVOKED:
        DEMAND(e->event != NULL);
        break;
    case CLIENT_EFFECT_DISCONNECT:
    case CLIENT_EFFECT_LATE_GRANT:
        break;
    }
}

static void step(struct life *l, struct client_event event)
{
    event.now_ns = l->now_ns;
    client_session_step(l->session, &event, &l->out);
    l->wake_at_ns = l->out.wake_at_ns;
    for (uint32_t i = 0; i < l->out.count; i++)
        judge(l, &l->out.list[i]);
    DEMAND(client_session_state(l->session) == l->state);
    DEMAND(client_session_safe_ns(l->session, l->now_ns) == 0 || l->state == CLIENT_SESSION_SAFE);
}

static void pass(struct life *l, int64_t ms, uint32_t steps)
{
    int64_t until_ns = l->now_ns + ms_to_ns(ms);

    for (; l->wake_at_ns <= until_ns && steps > 0; steps--) {
        l->spins = l->wake_at_ns <= l->now_ns ? l->spins + 1 : 0;
        DEMAND(l->spins < SPINS_MAX);
        l->now_ns = ns_max(l->now_ns, l->wake_at_ns);
        step(l, (struct client_event){.kind = CLIENT_EVENT_TIME});
    }
    l->now_ns = until_ns;
}

/* ---- what it is told ---- */

static void begun(struct life *l, bool held)
{
    uint8_t secret[16] = "a secret of 16..";
    Coord__V1__SessionOpened opened = COORD__V1__SESSION_OPENED__INIT;
    Coord__V1__Answer answer = COORD__V1__ANSWER__INIT;
    Coord__V1__Item item = COORD__V1__ITEM__INIT, *items[1] = {&item};
    Coord__V1__SessionReply m = COORD__V1__SESSION_REPLY__INIT;
    struct buffer packed = BUFFER_INIT;

    opened.session = SESSION;
    opened.secret = (ProtobufCBinaryData){sizeof secret, secret};
    opened.ttl_ms = CLIENT_SESSION_TTL_MS_DEFAULT;
    opened.held = held;
    answer.body_case = COORD__V1__ANSWER__BODY_OPENED;
    answer.opened = &opened;
    item.kind_case = COORD__V1__ITEM__KIND_BEGUN;
    item.begun = &answer;
    m.items = items;
    m.n_items = 1;
    coord__v1__session_reply__pack(
        &m, buffer_extend(&packed, coord__v1__session_reply__get_packed_size(&m)));
    step(l, (struct client_event){
                .kind = CLIENT_EVENT_MESSAGE, .link = l->link, .bytes = buffer_slice(&packed)});
    buffer_release(&packed);
}

static void call(struct life *l, uint8_t which)
{
    Coord__V1__Write write = COORD__V1__WRITE__INIT;
    Coord__V1__Put put = COORD__V1__PUT__INIT;
    Coord__V1__Acquire acquire = COORD__V1__ACQUIRE__INIT;
    Coord__V1__Release release = COORD__V1__RELEASE__INIT;
    Coord__V1__Read read = COORD__V1__READ__INIT;
    Coord__V1__Get get = COORD__V1__GET__INIT;
    Coord__V1__Watch watch = COORD__V1__WATCH__INIT;
    struct client_event e = {.kind = CLIENT_EVENT_SUBMIT_WRITE, .write = &write};

    put.path = acquire.path = release.path = get.path = watch.path = (char *)(uintptr_t) "/a";
    switch (which % 5) {
    case 0:
        write.op_case = COORD__V1__WRITE__OP_PUT;
        write.put = &put;
        break;
    case 1:
        write.op_case = COORD__V1__WRITE__OP_ACQUIRE;
        write.acquire = &acquire;
        acquire.handle = 1 + which / 5 % 2;
        acquire.mode = COORD__V1__LOCK_MODE__LOCK_EXCLUSIVE;
        acquire.wait = 1;
        break;
    case 2:
        write.op_case = COORD__V1__WRITE__OP_RELEASE;
        write.release = &release;
        release.handle = 1 + which / 5 % 2;
        break;
    case 3:
        read.op_case = COORD__V1__READ__OP_GET;
        read.get = &get;
        e = (struct client_event){.kind = CLIENT_EVENT_SUBMIT_READ, .read = &read};
        break;
    default:
        watch.id = ++l->watches_count;
        watch.content = watch.children = watch.subtree = 1;
        watch.known_revision = which / 5 % 2;
        e = (struct client_event){.kind = CLIENT_EVENT_WATCH, .watch = &watch};
    }
    e.token = ++l->tokens_count;
    e.deadline_ns = which >= 128 ? NEVER_NS : l->now_ns + ms_to_ns(DEADLINE_MS);
    step(l, e);
}

static void reply(struct life *l, struct slice bytes)
{
    uint8_t *copy = fuzz_copy(bytes);

    l->fooled = l->fooled || !fuzz_is_message(&coord__v1__session_reply__descriptor, bytes);
    step(l, (struct client_event){.kind = CLIENT_EVENT_MESSAGE,
                                  .link = l->link,
                                  .bytes = slice_of(copy, bytes.length)});
    free(copy);
}

static void beat(struct life *l, enum err status, uint64_t stamp, struct slice address)
{
    char *text = fuzz_text(address);

    step(l, (struct client_event){.kind = CLIENT_EVENT_KEEPALIVE,
                                  .status = status,
                                  .stamp = stamp,
                                  .address = address.length == 0 ? NULL : text});
    free(text);
}

static void play(struct life *l, const struct fuzz_part *part)
{
    switch (part->op % OPS) {
    case OP_REPLY:
        reply(l, part->bytes);
        break;
    case OP_UP:
    case OP_DOWN:
        step(l, (struct client_event){.kind = part->op % OPS == OP_UP ? CLIENT_EVENT_LINK_UP
                                                                      : CLIENT_EVENT_LINK_DOWN,
                                      .link = l->link - (part->arg == UINT8_MAX)});
        break;
    case OP_BEGUN:
        begun(l, part->arg % 2 != 0);
        break;
    case OP_BEAT:
        beat(l, (enum err)(part->arg % 0x80), part->arg < 0x80 ? l->stamp : l->stamp - 1,
             slice_of(NULL, 0));
        break;
    case OP_REDIRECT:
        beat(l, ERR_NOT_LEADER, 0, part->bytes);
        break;
    case OP_WAIT:
        pass(l, (int64_t)part->arg * part->arg, WAIT_STEPS);
        break;
    case OP_CALL:
        call(l, part->arg);
        break;
    case OP_GIVE_UP:
        step(l, (struct client_event){.kind = CLIENT_EVENT_GIVE_UP, .token = part->arg});
        break;
    case OP_UNWATCH:
        step(l, (struct client_event){.kind = CLIENT_EVENT_UNWATCH, .watch_id = part->arg});
        break;
    case OP_CLOSE:
        step(l, (struct client_event){.kind = CLIENT_EVENT_CLOSE,
                                      .token = ++l->tokens_count,
                                      .deadline_ns = l->now_ns + ms_to_ns(DEADLINE_MS)});
        break;
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static const char *const endpoints[] = {"a:1", "b:1"};
    struct client_session_config config = {.nonce = "0123456789abcde",
                                           .grace_ms = CLIENT_SESSION_GRACE_MS_DEFAULT,
                                           .seed = 1,
                                           .endpoints = endpoints,
                                           .endpoints_count = 2,
                                           .lets_go_late = size > 0 && data[size - 1] % 2 != 0};
    struct slice rest = slice_of(data, size);
    struct life l = {.now_ns = 1000 * NS_PER_S};
    struct fuzz_part part;

    client_effects_init(&l.out);
    l.session = client_session_new(&config);
    step(&l, (struct client_event){.kind = CLIENT_EVENT_TIME});
    for (int i = 0; i < FUZZ_PARTS_MAX && fuzz_next(&rest, &part); i++)
        play(&l, &part);
    pass(&l, LAST_MS, LAST_STEPS);
    for (uint64_t token = 1; l.state >= CLIENT_SESSION_EXPIRED && token <= l.tokens_count; token++)
        DEMAND(l.answered[token]);
    client_effects_release(&l.out);
    client_session_free(l.session);
    return 0;
}
