/* session.h - one session as the client library sees it.
 *
 * Pure: lease, jeopardy and expiry, KeepAlives, finding and following the
 * leader, retries that apply exactly once, watches that survive a lost link. No
 * clock, randomness, I/O, threads or locks: time comes with the event, effects
 * say what the world owes. The simulator runs this very code.
 *
 * Belief: the session is live until t0 + ttl * (1 - rho) / (1 + rho), t0 read
 * BEFORE the KeepAlive that was answered was sent, or before the first Open was
 * sent. The server's timer starts no earlier than that, so belief always ends
 * first. An Attach is no reason to believe; a KeepAlive follows it at once.
 *
 * States: OPENING -> SAFE <-> JEOPARDY -> EXPIRED; SAFE -> ENDED; OPENING -> FAILED.
 * Each change is told once, in order. While JEOPARDY lasts no call is sent and no
 * answer is handed over: an answer that came is kept until the session is SAFE
 * again, and is EXPIRED if it never is.
 *
 * Calls. Each token is answered exactly once.
 *   A write gets its seq when it is first sent and keeps it through every resend,
 *   so that the servers apply it once. Its deadline passes unsent: TIMEOUT, and
 *   the seq is never used. Its deadline passes later: MAYBE_APPLIED, and it is
 *   resent in the background until it is answered, so that the window moves on.
 *   An Acquire is TIMEOUT at its deadline either way, for it is followed by a
 *   Cancel that is retried as long as the session lives: a grant that crosses it
 *   is released. A Release and the end of the session are never dropped: past the
 *   deadline they go on in the background, and the caller hears MAYBE_APPLIED.
 *   A read is TIMEOUT past its deadline.
 *
 * By force. A lock that is taken away is not held from the moment REVOKED comes,
 * and is released in the background, also in jeopardy: until then the servers do
 * not renew the lease. A session that is killed is EXPIRED at once; the servers are
 * told with an EndSession that goes out behind it, if the link stands.
 *
 * May include: libcoord/base, proto. */
#ifndef LIBCOORD_SESSION_H
#define LIBCOORD_SESSION_H

#include <stdbool.h>
#include <stdint.h>

#include "coord/v1/coord.pb-c.h"
#include "libcoord/base/bytes.h"
#include "libcoord/base/err.h"

enum {
    CLIENT_SESSION_TTL_MS_DEFAULT = 12000,
    CLIENT_SESSION_GRACE_MS_DEFAULT = 45000,
    CLIENT_SESSION_RATE_PPM_DEFAULT = 5000, /* rho: 0.5 % */
    CLIENT_SESSION_OUTSTANDING_MAX = 1024,  /* writes; one more is THROTTLED, nothing sent */
    CLIENT_SESSION_OUTSTANDING_BYTES_MAX = 64 * 1024 * 1024, /* of calls; beyond: THROTTLED */
    CLIENT_SESSION_READS_MAX = 4096,                         /* one more is THROTTLED */
    CLIENT_SESSION_WATCHES_MAX = 4096,                       /* one more is QUOTA */
    CLIENT_SESSION_ENDPOINTS_MAX = 16, /* the oldest one learned from a redirect makes room */
    CLIENT_SESSION_ADDRESS_BYTES_MAX = 255,
    CLIENT_SESSION_HOST_BYTES_MAX = 255,
    CLIENT_SESSION_SEND_BYTES_MAX = 1024 * 1024, /* of one SEND, unless one call is larger */
    CLIENT_SESSION_MESSAGE_BYTES_MAX = 64 * 1024 * 1024, /* decoded; a larger one breaks the link */

    CLIENT_SESSION_BACKOFF_MIN_MS = 20, /* when nobody leads; random, growing */
    CLIENT_SESSION_BACKOFF_MAX_MS = 500,
    CLIENT_SESSION_BEGIN_TIMEOUT_MS = 1000,     /* for Open or Attach to be answered; doubles ... */
    CLIENT_SESSION_BEGIN_TIMEOUT_MAX_MS = 8000, /* ... to this, until one was */
    CLIENT_SESSION_BEAT_RETRY_MS = 500,         /* a KeepAlive unanswered is sent again */
    CLIENT_SESSION_BEAT_TIMEOUT_MS = 1200,      /* then the server counts as stopped */
    /* Of these three a short lease allows less: the fraction of the ttl below. A KeepAlive
     * is sent a third of the ttl after the last; with a sixth for no answer, half of the
     * lease is left to find the leader that follows, and no jeopardy comes of it. */
    CLIENT_SESSION_BEAT_TIMEOUT_PART = 6,
    CLIENT_SESSION_BEGIN_TIMEOUT_PART = 4,
    CLIENT_SESSION_SUSPECT_PART = 4,
    CLIENT_SESSION_PROBE_MS = 300,     /* calls wait and nothing comes: a KeepAlive asks why */
    CLIENT_SESSION_SUSPECT_MS = 1000,  /* a silent server is not returned to for this long */
    CLIENT_SESSION_REFUSED_MS = 100,   /* nor one whose stream broke */
    CLIENT_SESSION_THROTTLED_MS = 100, /* before a refused Cancel or Release is sent again */
};

enum client_session_state {
    CLIENT_SESSION_OPENING, /* no answer to Open yet */
    CLIENT_SESSION_SAFE,
    CLIENT_SESSION_JEOPARDY, /* belief ran out; calls wait, for at most the grace period */
    CLIENT_SESSION_EXPIRED,  /* for ever */
    CLIENT_SESSION_ENDED,    /* by our own EndSession */
    CLIENT_SESSION_FAILED,   /* never opened: the cell refused */
};

struct client_session_config {
    uint32_t ttl_ms, grace_ms, rate_ppm; /* 0: the default, but grace_ms 0 is none */
    uint8_t nonce[16];                   /* from the OS's generator */
    uint64_t seed;                       /* of back-off */
    const char *host;                    /* copied; may be NULL */
    uint32_t pid;
    bool lets_go_late; /* what is taken by force is released by the caller; session_force.c */
    /* Reattach instead of opening: both set. */
    uint64_t session;
    uint8_t secret[16];
    /* Where servers are: host:port. Copied. More are learned from redirects. */
    const char *const *endpoints;
    uint32_t endpoints_count; /* 1 to CLIENT_SESSION_ENDPOINTS_MAX */
};

enum client_event_kind {
    CLIENT_EVENT_TIME,
    CLIENT_EVENT_LINK_UP,      /* .link: bytes may be sent on the session's stream */
    CLIENT_EVENT_LINK_DOWN,    /* .link: it ended, or could not be made */
    CLIENT_EVENT_MESSAGE,      /* .link, .bytes: one SessionReply */
    CLIENT_EVENT_KEEPALIVE,    /* .status, .stamp: a BeatAnswer of this session; or of a
                                  redirect, NOT_LEADER, .address (may be NULL) */
    CLIENT_EVENT_SUBMIT_WRITE, /* .token, .write, .deadline_ns; EndSession is CLOSE */
    CLIENT_EVENT_SUBMIT_READ,  /* .token, .read, .deadline_ns */
    CLIENT_EVENT_WATCH,        /* .token, .watch (id chosen by the caller), .deadline_ns */
    CLIENT_EVENT_UNWATCH,      /* .watch_id */
    CLIENT_EVENT_LET_GO,       /* likewise, .write a Release: of a lock that was taken by force, in
                                  a session that lets go late. It is sent in jeopardy too */
    CLIENT_EVENT_GIVE_UP,      /* .token: the caller waits no longer: as if the deadline passed,
                                  but CANCELLED where that would be TIMEOUT */
    CLIENT_EVENT_CLOSE,        /* end the session at the server; .token, .deadline_ns: answered
                                  OK when it is gone. Unsent calls are CANCELLED */
};

struct client_event {
    enum client_event_kind kind;
    int64_t now_ns;      /* CLOCK_BOOTTIME, after the event was taken */
    uint64_t link;       /* the number its CONNECT had; events of older links are ignored.
                            0: the latest (for a caller that filters by itself) */
    uint64_t token;      /* the caller's name for the call, never 0, unique while unanswered */
    int64_t deadline_ns; /* NEVER_NS: none */
    const Coord__V1__Write *write; /* borrowed; packed by the step */
    const Coord__V1__Read *read;
    const Coord__V1__Watch *watch;
    uint64_t watch_id;
    struct slice bytes;
    enum err status;
    uint64_t stamp;
    const char *address;
};

enum client_effect_kind {
    CLIENT_EFFECT_CONNECT,    /* .address, .link: drop the old session stream, make one there */
    CLIENT_EFFECT_DISCONNECT, /* drop the session stream; nothing comes from it any more */
    CLIENT_EFFECT_SEND,       /* .bytes: a SessionRequest for the stream that stands */
    CLIENT_EFFECT_KEEPALIVE,  /* .bytes: a KeepAliveRequest with this session's Beat, to the
                                  server that the session stream goes to */
    CLIENT_EFFECT_ANSWER,     /* .token, .status, .answer (NULL unless the server answered;
                                  borrowed until the next step), .maybe_applied */
    CLIENT_EFFECT_WATCHED,    /* .event: borrowed until the next step */
    CLIENT_EFFECT_STATE,      /* .state: it changed; JEOPARDY and SAFE once per episode. With
                                  FAILED .status, and .answer if there was one, say why */
    CLIENT_EFFECT_REVOKED,    /* .event: the lock of its path, generation and handle was taken by
                                  force. It is not held any more, whether or not its Acquire
                                  was answered; the session releases it by itself */
    CLIENT_EFFECT_LATE_GRANT, /* informational: a grant crossed its cancel */
};

struct client_effect {
    enum client_effect_kind kind;
    uint64_t token;
    enum err status;
    bool maybe_applied; /* of EXPIRED: the call was sent */
    enum client_session_state state;
    uint64_t link;
    const char *address; /* borrowed until the next step */
    struct buffer bytes; /* owned by the list; a taker leaves BUFFER_INIT behind */
    const Coord__V1__Answer *answer;
    const Coord__V1__Event *event;
};

struct client_effects {
    struct client_effect *list; /* owned */
    uint32_t count, capacity;
    int64_t wake_at_ns; /* send TIME not later than this; NEVER_NS if not needed */
};
void client_effects_init(struct client_effects *e);
void client_effects_clear(struct client_effects *e); /* keeps the memory */
void client_effects_release(struct client_effects *e);

struct client_session;
struct client_session *client_session_new(const struct client_session_config *config);
void client_session_free(struct client_session *s);
/* The first event is TIME; it asks for a connection. *out is cleared first. */
void client_session_step(struct client_session *s, const struct client_event *event,
                         struct client_effects *out);

enum client_session_state client_session_state(const struct client_session *s);
/* How long the session is certainly live, from now on: 0 when not SAFE. */
int64_t client_session_safe_ns(const struct client_session *s, int64_t now_ns);
uint64_t client_session_id(const struct client_session *s); /* 0 while OPENING */
const uint8_t *client_session_secret(const struct client_session *s);
uint32_t client_session_ttl_ms(const struct client_session *s); /* as granted */

#endif
