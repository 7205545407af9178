/* command_compare.c - what the members say of their states, put into the log.
 *
 * It changes nothing: the state cannot know what it was at an earlier slot, and a
 * version that does not know this command refuses it and has the same state behind
 * it. It is passed on to the replica, which remembers. */
#include <string.h>

#include "coordd/state/command.h"

enum err command_compare_states(struct step *step, const Coord__V1__CompareStates *c)
{
    struct state_comparison *ret = &step->out->comparison;
    memset(ret, 0, sizeof *ret);
    ret->asked = true;
    ret->slot = c->slot;
    ret->encoding = c->encoding;
    for (; ret->count < c->n_hashes; ret->count++) {
        const Coord__V1__MemberHash *hash = c->hashes[ret->count];
        ret->said[ret->count].member = hash->member;
        state_hash_take(hash->hash.data, ret->said[ret->count].hash);
    }
    return ERR_OK;
}
