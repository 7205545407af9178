/* api_force.c - what only an operator does: take locks and sessions away, and move
 * the leadership. */
#include <stdlib.h>
#include <string.h>

#include "libcoord/src/inner.h"

coord_error coord_unlock_force(coord_session *session, const char *path, int64_t deadline_ms)
{
    char *inside = NULL;
    coord_error e = check_by_name(session, path, deadline_ms, &inside);
    if (e != COORD_OK)
        return e;
    Coord__V1__ForceUnlock m = COORD__V1__FORCE_UNLOCK__INIT;
    Coord__V1__Write write = COORD__V1__WRITE__INIT;
    m.path = inside;
    write.op_case = COORD__V1__WRITE__OP_FORCE_UNLOCK;
    write.force_unlock = &m;
    struct call call = call_begin(session, deadline_ms);
    e = call_write(&call, &write, NULL, NULL);
    free(inside);
    return e;
}

coord_error coord_session_kill(coord_session *session, uint64_t id, int64_t deadline_ms)
{
    detail_clear();
    if (session == NULL)
        return fail(COORD_ERR_INVALID, "session: is NULL");
    if (id == 0)
        return fail(COORD_ERR_INVALID, "id: is 0, which no session has");
    coord_error e = check_deadline(deadline_ms);
    if (e != COORD_OK)
        return e;
    Coord__V1__KillSession m = COORD__V1__KILL_SESSION__INIT;
    Coord__V1__Write write = COORD__V1__WRITE__INIT;
    m.session = id;
    write.op_case = COORD__V1__WRITE__OP_KILL_SESSION;
    write.kill_session = &m;
    struct call call = call_begin(session, deadline_ms);
    return call_write(&call, &write, NULL, NULL);
}

coord_error coord_step_down(coord_client *client, uint32_t to, int64_t deadline_ms)
{
    detail_clear();
    if (client == NULL)
        return fail(COORD_ERR_INVALID, "client: is NULL");
    coord_error e = check_deadline(deadline_ms);
    if (e != COORD_OK)
        return e;
    Coord__V1__StepDown m = COORD__V1__STEP_DOWN__INIT;
    Coord__V1__ExecuteRequest request = COORD__V1__EXECUTE_REQUEST__INIT;
    m.to = to;
    request.request_case = COORD__V1__EXECUTE_REQUEST__REQUEST_STEP_DOWN;
    request.step_down = &m;
    return unary_leader(client, &request, deadline_ms);
}
