/* session.h - who may hold what, and what each was answered.
 *
 * Exactly once: a session's writes carry rising sequence numbers. One above the
 * highest is new and is applied; any other is a repetition, and is answered from
 * what was kept, or waits, or is refused. So a number that was skipped, or whose
 * answer is forgotten, is never applied.
 *
 * Answers are kept in the order in which they were given, the newest
 * limits.session_window of them. An acquire may wait for long while the session
 * goes on writing, so it is the order of answering that counts here, not the
 * number: the client has at most as many writes outstanding, and it asks again
 * in order after a lost link, so what it can still ask for is among the newest.
 * `lowest` tells what it will not ask for again; that is dropped at once.
 *
 * Invariants: kept seqs are in [lowest, highest], none twice; their orders rise
 * and the last is kept_order. Claims are linked both by seq and by handle, none
 * twice: a handle holds or waits for one lock. */
#ifndef COORD_STATE_SESSION_H
#define COORD_STATE_SESSION_H

#include "coordd/state/machine.h"
#include "libcoord/base/list.h"

struct session {
    struct record record;
    struct avl_node by_id, by_nonce;
    uint64_t id;
    uint8_t nonce[STATE_NONCE_BYTES], secret[STATE_SECRET_BYTES];
    uint32_t ttl_ms, pid;
    uint64_t opened_ms;
    uint64_t lowest, highest; /* of the client's numbers: not asked below; applied up to */
    uint64_t kept_order;
    struct avl kept;             /* of struct kept, by seq */
    struct list kept_in_order;   /* the same, oldest first */
    struct avl claims_by_seq;    /* of struct claim, held and waiting */
    struct avl claims_by_handle; /* the same */
    uint32_t locks_count, waits_count;
    uint32_t revoked_count; /* of the locks: taken by force, and not let go yet */
    bool killed;            /* by force: it holds on only until it or its lease ends */
    struct avl ephemerals;  /* of struct ephemeral, by instance, then by path */
    char *host, *principal; /* owned, with a NUL */
};

/* One kept answer. */
struct kept {
    struct record record;
    struct avl_node by_seq;
    struct list in_order;
    struct session *session;
    uint64_t seq, order;
    uint32_t length;
    uint8_t data[];
};

struct session_terms {
    const uint8_t *nonce, *secret;
    uint32_t ttl_ms, pid;
    struct slice host, principal;
};

struct session *sessions_find(const struct state *s, uint64_t id);
struct session *sessions_find_nonce(const struct state *s, const uint8_t nonce[STATE_NONCE_BYTES]);
/* The session above this id, or NULL. */
struct session *sessions_above(const struct state *s, uint64_t id);
/* NULL if the id or nonce is there already. The caller marks or loads its record. */
struct session *sessions_add(struct state *s, uint64_t id, const struct session_terms *terms);
/* With its kept answers. It must hold and own nothing any more. */
void sessions_remove(struct state *s, struct session *session);
/* Frees every session without a word to the ledger. */
void sessions_free_all(struct state *s);

/* May its KeepAlives be answered? */
enum state_hold session_hold(const struct session *session);

struct kept *kept_find(const struct session *session, uint64_t seq);
struct slice kept_answer(const struct kept *kept);
/* Keep the answer to seq, which must not have one; forgets the oldest if there
 * are too many. Numbers below `lowest` are not kept. */
void kept_add(struct state *s, struct session *session, uint64_t seq, struct slice answer);
/* Nothing below `lowest` will be asked again. */
void kept_trim(struct state *s, struct session *session, uint64_t lowest);
/* For loading; NULL if seq is there already. */
struct kept *kept_attach(struct session *session, uint64_t seq, uint64_t order,
                         struct slice answer);

#endif
