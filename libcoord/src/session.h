/* session.h - one session as the client library sees it.
 *
 * Pure: lease, jeopardy and expiry, KeepAlives, finding and following the
 * leader, retries that apply exactly once, watches that survive a lost link. No
 * clock, randomness, I/O, threads or locks: time comes with the event, effects
 * say what the world owes. coordd's simulator runs this very code.
 *
 * Belief: the session is live until t0 + ttl * (1 - rho) / (1 + rho), t0 read
 * BEFORE the KeepAlive (or Open, or Attach) that was answered was sent; the
 * server's timer starts when it arrives, so belief always ends first.
 *
 * States: OPENING -> SAFE <-> JEOPARDY -> EXPIRED; SAFE -> ENDED; OPENING -> FAILED.
 *
 * May include: libcoord/base, proto. */
#ifndef LIBCOORD_SESSION_H
#define LIBCOORD_SESSION_H

#include <stdbool.h>
#include <stdint.h>

#include "libcoord/base/bytes.h"
#include "libcoord/base/err.h"
#include "coord/v1/coord.pb-c.h"

enum {
    CLIENT_SESSION_TTL_MS_DEFAULT = 12000,
    CLIENT_SESSION_GRACE_MS_DEFAULT = 45000,
    CLIENT_SESSION_RATE_PPM_DEFAULT = 5000,   /* rho: 0.5 % */
    CLIENT_SESSION_OUTSTANDING_MAX = 1024,    /* writes; one more is THROTTLED, nothing sent */
    CLIENT_SESSION_READS_MAX = 4096,
    CLIENT_SESSION_WATCHES_MAX = 4096,
    CLIENT_SESSION_ENDPOINTS_MAX = 16,
};

enum client_session_state {
    CLIENT_SESSION_OPENING,  /* no answer to Open yet */
    CLIENT_SESSION_SAFE,
    CLIENT_SESSION_JEOPARDY, /* belief ran out; calls wait, for at most the grace period */
    CLIENT_SESSION_EXPIRED,  /* for ever */
    CLIENT_SESSION_ENDED,    /* by our own EndSession */
};

struct client_session_config {
    uint32_t ttl_ms, grace_ms, rate_ppm;
    uint8_t nonce[16];   /* from the OS's generator */
    uint64_t seed;       /* of back-off */
    const char *host;    /* copied */
    uint32_t pid;
    /* Reattach instead of opening: both set. */
    uint64_t session;
    uint8_t secret[16];
    /* Where servers are: host:port. Copied. More are learned from redirects. */
    const char *const *endpoints;
    uint32_t endpoints_count;
};

enum client_event_kind {
    CLIENT_EVENT_TIME,
    CLIENT_EVENT_LINK_UP,         /* the session stream to .address stands */
    CLIENT_EVENT_LINK_DOWN,       /* it ended, or could not be made */
    CLIENT_EVENT_MESSAGE,         /* .bytes: one SessionReply */
    CLIENT_EVENT_KEEPALIVE,       /* .status, .stamp: a BeatAnswer of this session */
    CLIENT_EVENT_SUBMIT_WRITE,    /* .token, .write, .deadline_ns */
    CLIENT_EVENT_SUBMIT_READ,     /* .token, .read, .deadline_ns */
    CLIENT_EVENT_WATCH,           /* .token, .watch (id chosen by the caller) */
    CLIENT_EVENT_UNWATCH,         /* .watch_id */
    CLIENT_EVENT_GIVE_UP,         /* .token: the caller waits no longer */
    CLIENT_EVENT_CLOSE,           /* end the session at the server */
};

struct client_event {
    enum client_event_kind kind;
    int64_t now_ns;            /* CLOCK_BOOTTIME, after the event was taken */
    uint64_t token;            /* the caller's name for the call, unique, never 0 */
    int64_t deadline_ns;       /* NEVER_NS: none */
    const Coord__V1__Write *write; /* borrowed; packed by the step */
    const Coord__V1__Read *read;
    const Coord__V1__Watch *watch;
    uint64_t watch_id;
    struct slice bytes;
    enum err status;
    uint64_t stamp;
};

enum client_effect_kind {
    CLIENT_EFFECT_CONNECT,    /* .address: drop the old session stream, make one there */
    CLIENT_EFFECT_SEND,       /* .bytes: a SessionRequest for the stream that stands */
    CLIENT_EFFECT_KEEPALIVE,  /* .bytes: a KeepAliveRequest with this session's Beat, to the
                                  server that the session stream goes to */
    CLIENT_EFFECT_ANSWER,     /* .token, .status, .answer (NULL unless the server answered;
                                  borrowed until the next step) */
    CLIENT_EFFECT_WATCHED,    /* .event: borrowed until the next step */
    CLIENT_EFFECT_STATE,      /* .state: it changed; JEOPARDY and SAFE once per episode */
    CLIENT_EFFECT_LATE_GRANT, /* informational: a grant crossed its cancel */
};

struct client_effect {
    enum client_effect_kind kind;
    uint64_t token;
    enum err status;
    enum client_session_state state;
    const char *address;
    struct buffer bytes;         /* owned by the effect list */
    const Coord__V1__Answer *answer;
    const Coord__V1__Event *event;
};

struct client_effects {
    struct client_effect *list; /* owned */
    uint32_t count, capacity;
    int64_t wake_at_ns;
};
void client_effects_init(struct client_effects *e);
void client_effects_clear(struct client_effects *e);
void client_effects_release(struct client_effects *e);

struct client_session;
struct client_session *client_session_new(const struct client_session_config *config);
void client_session_free(struct client_session *s);
/* The first event is TIME; it asks for a connection. */
void client_session_step(struct client_session *s, const struct client_event *event,
                  struct client_effects *out);

enum client_session_state client_session_state(const struct client_session *s);
/* How long the session is certainly live, from now on: 0 when not SAFE. */
int64_t client_session_safe_ns(const struct client_session *s, int64_t now_ns);
uint64_t client_session_id(const struct client_session *s); /* 0 while OPENING */
const uint8_t *client_session_secret(const struct client_session *s);

#endif
