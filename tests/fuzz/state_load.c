/* state_load.c - records of a checkpoint, whoever wrote it: they are refused, or are
 * a state that has these very records and goes on working. */
#include <stdlib.h>

#include "coord/v1/command.pb-c.h"
#include "coord/v1/replica.pb-c.h"
#include "tests/fuzz/fuzz.h"
#include "tests/fuzz/records.h"

enum { SESSIONS = 6, LATER_MS = 1000 };

const ProtobufCMessageDescriptor *fuzz_type(uint8_t op)
{
    (void)op;
    return &coord__v1__envelope__descriptor;
}

static void run(struct state *s, Coord__V1__Command *c)
{
    Coord__V1__Batch batch = COORD__V1__BATCH__INIT;
    struct buffer packed = BUFFER_INIT;
    struct state_output out;

    batch.time_ms = state_time_ms(s) < UINT64_MAX / 2 ? state_time_ms(s) + LATER_MS : 0;
    batch.commands = &c;
    batch.n_commands = 1;
    coord__v1__batch__pack(&batch,
                           buffer_extend(&packed, coord__v1__batch__get_packed_size(&batch)));
    state_output_init(&out);
    state_apply(s, buffer_slice(&packed), &out);
    DEMAND(state_check(s) == NULL);
    state_output_release(&out);
    buffer_release(&packed);
}

/* Makes something, then takes everything from everybody. */
static void go_on(struct state *s)
{
    Coord__V1__Put put = COORD__V1__PUT__INIT;
    Coord__V1__ForceUnlock force = COORD__V1__FORCE_UNLOCK__INIT;
    Coord__V1__ExpireSession expire = COORD__V1__EXPIRE_SESSION__INIT;
    Coord__V1__Command c = COORD__V1__COMMAND__INIT;

    put.path = (char *)(uintptr_t) "/a/new";
    put.create = put.parents = 1;
    c.op_case = COORD__V1__COMMAND__OP_PUT;
    c.put = &put;
    run(s, &c);
    force.path = (char *)(uintptr_t) "/a";
    c.op_case = COORD__V1__COMMAND__OP_FORCE_UNLOCK;
    c.force_unlock = &force;
    run(s, &c);
    expire.ballot = UINT64_MAX;
    c.op_case = COORD__V1__COMMAND__OP_EXPIRE_SESSION;
    c.expire_session = &expire;
    for (expire.session = 1; expire.session <= SESSIONS; expire.session++)
        run(s, &c);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct state *s = records_load(slice_of(data, size));

    if (s == NULL)
        return 0;
    records_judge(s);
    go_on(s);
    records_judge(s);
    state_free(s);
    return 0;
}
