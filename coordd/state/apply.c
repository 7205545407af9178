/* apply.c - one chosen value becomes part of the state. See state.h. */
#include <stdlib.h>

#include "coordd/state/command.h"
#include "coordd/state/hand_over.h"
#include "libcoord/base/check.h"

void state_output_init(struct state_output *o)
{
    *o = (struct state_output){0};
}

void state_output_release(struct state_output *o)
{
    free(o->answers);
    free(o->answer_revisions);
    free(o->events);
    free(o->sessions);
    state_output_init(o);
}

void state_apply(struct state *s, struct slice batch, struct state_output *out)
{
    out->answers_count = out->events_count = out->sessions_count = 0;
    out->comparison.asked = false;
    arena_reset(&s->arena);
    ProtobufCAllocator allocator = arena_allocator(&s->arena);
    const Coord__V1__Batch *decoded =
        coord__v1__batch__unpack(&allocator, batch.length, batch.data);
    CHECK(decoded != NULL);
    CHECK(decoded->n_commands <= UINT32_MAX);

    if (decoded->time_ms > s->time_ms)
        s->time_ms = decoded->time_ms;
    hand_over_see_batch(s);
    for (size_t i = 0; i < decoded->n_commands; i++)
        command_apply(s, out, decoded->commands[i], (uint32_t)i);
    out->comparison.alone = decoded->n_commands == 1;
    ledger_touch(&s->ledger, &s->record);
    ledger_settle(s);
}

void state_apply_leader_start(struct state *s, uint64_t ballot)
{
    if (ballot <= s->leader_ballot)
        return;
    s->leader_ballot = ballot;
    hand_over_see_barrier(s);
    ledger_touch(&s->ledger, &s->record);
    ledger_settle(s);
}
