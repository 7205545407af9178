/* player_execute.c - calls without a session, as any gRPC client can make them:
 * one request, one answer, at most once. */
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "libcoord/base/check.h"
#include "tests/sim/check_read.h"
#include "tests/sim/paths.h"
#include "tests/sim/player.h"
#include "tests/sim/player_internal.h"
#include "tests/sim/recorder.h"
#include "tests/sim/scratch.h"
#include "tests/sim/sim.h"

enum { EXECUTE_REQUEST_BYTES_MAX = 512 };

static struct call *new_execute(struct client *c, enum op op, uint32_t path)
{
    struct player *p = &c->player;
    if (p->executes_count == p->executes_capacity) {
        p->executes_capacity = p->executes_capacity == 0 ? 8 : 2 * p->executes_capacity;
        p->executes = check_realloc(p->executes, p->executes_capacity * sizeof(p->executes[0]));
    }
    struct call *call = &p->executes[p->executes_count++];
    *call = (struct call){
        .token = p->next_token++, .op = op, .path = path, .floor = c->sim->acknowledged_revision};
    c->sim->journal.counts[COUNT_CALLS]++;
    return call;
}

static void send_execute(struct client *c, struct call *call, const Coord__V1__ExecuteRequest *r)
{
    struct sim *s = c->sim;
    uint8_t bytes[EXECUTE_REQUEST_BYTES_MAX];
    CHECK(coord__v1__execute_request__get_packed_size(r) <= sizeof(bytes));
    size_t length = coord__v1__execute_request__pack(r, bytes);
    uint32_t server = c->player.guess_leader;
    if (server >= s->swarm.members || prng_chance(&s->work_random, 1, 10))
        server = (uint32_t)prng_below(&s->work_random, s->swarm.members);
    call->server = server;
    journal_trace(&s->journal, "c%" PRIu32 " #%" PRIu64 " %s %s without a session, to %" PRIu32,
                  c->index, call->token, op_text(call->op), path_text(call->path), server + 1);
    call->channel = channel_open(s, c->host->index, server, REPLICA_STREAM_EXECUTE, c->index);
    if (r->request_case == COORD__V1__EXECUTE_REQUEST__REQUEST_WRITE)
        record_write(c, call, r->write);
    else if (r->request_case == COORD__V1__EXECUTE_REQUEST__REQUEST_READ)
        record_read(c, call, r->read);
    channel_send_to_server(s, call->channel, slice_of(bytes, length));
}

void player_execute(struct client *c)
{
    struct sim *s = c->sim;
    Coord__V1__ExecuteRequest r = COORD__V1__EXECUTE_REQUEST__INIT;
    Coord__V1__Read read = COORD__V1__READ__INIT;
    Coord__V1__Write write = COORD__V1__WRITE__INIT;
    Coord__V1__Get get = COORD__V1__GET__INIT;
    Coord__V1__GetStatus status = COORD__V1__GET_STATUS__INIT;
    Coord__V1__Put put = COORD__V1__PUT__INIT;
    uint8_t content[8];
    uint32_t path = PATHS_DATA + (uint32_t)prng_below(&s->work_random, s->swarm.data_paths);
    struct call *call;
    Coord__V1__ForceUnlock force = COORD__V1__FORCE_UNLOCK__INIT;
    Coord__V1__KillSession kill = COORD__V1__KILL_SESSION__INIT;
    struct transaction_parts parts;
    switch (prng_below(&s->work_random, 9)) {
    case 0:
    case 2:
        call = new_execute(c, OP_PUT, path);
        call->content = s->next_content++;
        for (int i = 0; i < 8; i++)
            content[i] = (uint8_t)(call->content >> (8 * i));
        put.path = (char *)path_text(path);
        put.content = (ProtobufCBinaryData){sizeof(content), content};
        put.create = put.parents = true;
        write.op_case = COORD__V1__WRITE__OP_PUT;
        write.put = &put;
        r.request_case = COORD__V1__EXECUTE_REQUEST__REQUEST_WRITE;
        r.write = &write;
        break;
    case 1:
        call = new_execute(c, OP_WATCH, path); /* of itself: nothing to compare */
        read.op_case = COORD__V1__READ__OP_STATUS;
        read.status = &status;
        r.request_case = COORD__V1__EXECUTE_REQUEST__REQUEST_READ;
        r.read = &read;
        break;
    case 3:
        call = new_execute(c, OP_TRANSACTION, 0);
        player_make_transaction(c, call, false, &parts);
        write.op_case = COORD__V1__WRITE__OP_TRANSACTION;
        write.transaction = &parts.transaction;
        r.request_case = COORD__V1__EXECUTE_REQUEST__REQUEST_WRITE;
        r.write = &write;
        break;
    case 4:
        if (s->swarm.weight_force == 0)
            return;
        path = PATHS_LOCK + (uint32_t)prng_below(&s->work_random, s->swarm.lock_paths);
        call = new_execute(c, OP_FORCE, path);
        force.path = (char *)path_text(path);
        write.op_case = COORD__V1__WRITE__OP_FORCE_UNLOCK;
        write.force_unlock = &force;
        r.request_case = COORD__V1__EXECUTE_REQUEST__REQUEST_WRITE;
        r.write = &write;
        break;
    case 5:
        kill.session = s->clients[prng_below(&s->work_random, s->swarm.clients)].id;
        if (s->swarm.weight_kill == 0 || kill.session == 0 || prng_chance(&s->work_random, 3, 4))
            return;
        call = new_execute(c, OP_KILL, 0);
        write.op_case = COORD__V1__WRITE__OP_KILL_SESSION;
        write.kill_session = &kill;
        r.request_case = COORD__V1__EXECUTE_REQUEST__REQUEST_WRITE;
        r.write = &write;
        break;
    default:
        call = new_execute(c, OP_GET, path);
        read.freshness = player_freshness(s, call);
        get.path = (char *)path_text(path);
        read.op_case = COORD__V1__READ__OP_GET;
        read.get = &get;
        r.request_case = COORD__V1__EXECUTE_REQUEST__REQUEST_READ;
        r.read = &read;
        break;
    }
    send_execute(c, call, &r);
}

void player_step_down(struct client *c)
{
    struct sim *s = c->sim;
    Coord__V1__ExecuteRequest r = COORD__V1__EXECUTE_REQUEST__INIT;
    Coord__V1__StepDown m = COORD__V1__STEP_DOWN__INIT;
    struct call *call = new_execute(c, OP_STEP_DOWN, 0);
    m.to = (uint32_t)prng_below(&s->work_random, s->swarm.members + 1);
    r.request_case = COORD__V1__EXECUTE_REQUEST__REQUEST_STEP_DOWN;
    r.step_down = &m;
    send_execute(c, call, &r);
}

static void answered(struct client *c, const struct call *call, const Coord__V1__Answer *a)
{
    struct sim *s = c->sim;
    enum err status = (enum err)a->status;
    journal_mix(&s->journal, 256 + (uint64_t)a->status, a->revision);
    journal_trace(&s->journal, "c%" PRIu32 " #%" PRIu64 " %s: %s, revision %" PRIu64, c->index,
                  call->token, op_text(call->op), err_name(status), a->revision);
    if (status == ERR_NOT_LEADER) {
        s->journal.counts[COUNT_REDIRECTS]++;
        unsigned id = 0;
        c->player.guess_leader = UINT32_MAX;
        if (a->message != NULL && sscanf(a->message, "sim:%u", &id) == 1)
            c->player.guess_leader = id - 1;
    } else if (status == ERR_OK && call->op == OP_STEP_DOWN) {
        s->journal.counts[COUNT_STEP_DOWNS]++;
        c->player.guess_leader = UINT32_MAX;
    } else if (status == ERR_OK && call->op != OP_WATCH && !call->stale) {
        c->player.guess_leader = call->server;
    }
    record_answer(c, call, status, false, a);
    bool unknown = status == ERR_MAYBE_APPLIED || status == ERR_INTERNAL;
    if (status != ERR_OK && !unknown)
        player_never_of(&c->player, call);
    if (a->revision > 0 && call->op != OP_WATCH && call->op != OP_STEP_DOWN)
        check_answer(s, c->index, call, status, a);
}

void player_execute_input(struct client *c, const struct host_input *input)
{
    struct player *p = &c->player;
    uint32_t at = 0;
    while (at < p->executes_count && p->executes[at].channel != input->channel)
        at++;
    if (input->kind == HOST_CHANNEL_UP || at == p->executes_count)
        return;
    struct call call = p->executes[at];
    p->executes[at] = p->executes[--p->executes_count];
    if (input->kind == HOST_CHANNEL_DOWN) {
        c->sim->journal.counts[COUNT_CALLS_OF_UNKNOWN_OUTCOME] +=
            call.content != 0 || call.changes != 0;
        p->guess_leader = UINT32_MAX;
        return;
    }
    struct scratch scratch;
    scratch_init(&scratch);
    const Coord__V1__Answer *a = coord__v1__answer__unpack(
        scratch_allocator(&scratch), input->bytes->length, input->bytes->data);
    if (a == NULL)
        journal_fail(&c->sim->journal, VERDICT_SAFETY, "an Answer that nobody can read");
    else
        answered(c, &call, a);
    scratch_release(&scratch);
}
