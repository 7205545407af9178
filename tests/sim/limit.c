/* limit.c - see limit.h. Alone in knowing the inside of the state. */
#include "tests/sim/limit.h"

#include "coordd/replica/replica.h"
#include "coordd/state/machine.h"

void limit_history(const struct replica *r, uint32_t bytes)
{
    struct state *s = (struct state *)(uintptr_t)replica_state(r);
    s->limits.history_bytes = bytes;
    ledger_touch(&s->ledger, &s->record);
    ledger_settle(s);
}
