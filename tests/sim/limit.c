/* limit.c - see limit.h. Alone in knowing the inside of the state. */
#include "tests/sim/limit.h"

#include "coordd/replica/replica.h"
#include "coordd/state/machine.h"
#include "coordd/state/node.h"

void limit_history(const struct replica *r, uint32_t bytes)
{
    struct state *s = (struct state *)(uintptr_t)replica_state(r);
    s->limits.history_bytes = bytes;
    ledger_touch(&s->ledger, &s->record);
    ledger_settle(s);
}

bool limit_flip(const struct replica *r)
{
    struct state *s = (struct state *)(uintptr_t)replica_state(r);
    if (s->root->modified_ms == 0)
        return false; /* that would be no state at all */
    s->root->created_ms ^= 1;
    ledger_touch(&s->ledger, &s->root->record);
    ledger_settle(s);
    return true;
}
