/* loading.c - a replica at its start: the saved state first, then the log. */
#include "coordd/replica/inner.h"

enum err replica_load_checkpoint(struct replica *r, uint64_t slot, struct slice about,
                                 const char **ret_why)
{
    struct checkpoint_about *c = &r->loading;

    *ret_why = "what the checkpoint says of itself is damaged";
    if (!checkpoint_read_about(about, c) || c->slot != slot ||
        paxos_load_checkpoint(r->paxos, slot, c->membership, ret_why) != ERR_OK)
        return ERR_INVALID;
    c->membership = slice_of(NULL, 0);
    *ret_why = NULL;
    return ERR_OK;
}

enum err replica_load_record(struct replica *r, struct slice key, struct slice value)
{
    return state_load_record(r->state, key, value);
}

enum err replica_load_checkpoint_end(struct replica *r)
{
    if (state_loaded(r->state) != ERR_OK || !checkpoint_is_of(r, &r->loading, r->state))
        return ERR_INVALID;
    checkpoint_loaded(r, &r->loading);
    return ERR_OK;
}

enum err replica_load_entry(struct replica *r, const struct log_entry *entry)
{
    enum err e = paxos_load(r->paxos, entry);

    if (e == ERR_OK)
        replica_apply_chosen(r);
    return e;
}

void replica_loaded(struct replica *r, int64_t now_ns)
{
    r->now_ns = r->last_step_ns = now_ns;
    paxos_loaded(r->paxos, now_ns);
}
