/* model_internal.h - between model.c and the other model_*.c. */
#ifndef TESTS_SIM_MODEL_INTERNAL_H
#define TESTS_SIM_MODEL_INTERNAL_H

#include "coord/v1/command.pb-c.h"
#include "tests/sim/model.h"

/* The revision of what the command at hand changes. */
uint64_t model_step(struct model *m);
/* The path's version of the revision at hand, to be changed; made from the one
 * before. Moves the list. */
struct model_version *model_change(struct model *m, uint32_t path);
uint32_t model_name(struct model *m, const char *path); /* finds or adds */
bool model_alive(const struct model *m, uint32_t path);

void model_event(struct model *m, uint32_t path, int kind);
/* Of the revision at hand; the oldest go when all together are more than is kept. */
void model_keep_history(struct model *m);

/* model_node.c */
enum err model_create(struct model *m, const struct model_session *s, const Coord__V1__Create *c);
enum err model_put(struct model *m, const Coord__V1__Put *c);
enum err model_delete(struct model *m, uint64_t session, const Coord__V1__Delete *c);
void model_delete_ephemerals(struct model *m, uint64_t session);
struct model_content {
    uint64_t hash, number;
    uint32_t length;
};
struct model_content model_content_of(ProtobufCBinaryData data);
void model_set_content(struct model *m, struct model_version *v,
                       const struct model_content *content);

/* model_transaction.c */
enum err model_transaction(struct model *m, const struct model_session *s,
                           const Coord__V1__Transaction *t);
/* Undoes what the command at hand changed of nodes. */
void model_take_back(struct model *m);
void model_unwrite(struct model *m, uint64_t number);

/* model_lock.c. *ret_waits: no answer yet. */
enum err model_acquire(struct model *m, uint64_t session, uint64_t seq, const Coord__V1__Acquire *c,
                       bool *ret_waits);
enum err model_release_lock(struct model *m, uint64_t session, const Coord__V1__Release *c);
enum err model_cancel(struct model *m, uint64_t session, uint64_t acquire_seq);
/* Gives back all that a session that is over holds and waits for. `died`: not by its
 * own will. */
void model_leave_locks(struct model *m, uint64_t session, bool died);
void model_leave_lines(struct model *m, uint64_t session);
enum err model_force_unlock(struct model *m, const Coord__V1__ForceUnlock *c);
void model_end_delay(struct model *m, const Coord__V1__EndLockDelay *c);
enum err model_guard(const struct model *m, const char *sequencer);
bool model_locked_by_others(const struct model *m, uint32_t path, uint64_t session,
                            uint64_t handle);
void model_forget_claims(struct model *m, uint32_t path);

/* The answer to an earlier Acquire. */
void model_tell(struct model *m, uint64_t session, uint64_t seq, enum err status,
                uint64_t generation);

#endif
