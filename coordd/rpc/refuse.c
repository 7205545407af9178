/* refuse.c - calls that end before they began: an unknown method, a stranger's
 * link, one stream too many. */
#include <stdlib.h>

#include "coordd/rpc/internal.h"
#include "libcoord/base/avl.h"
#include "libcoord/base/check.h"

struct refusal {
    struct rpc_tag tag;
    struct rpc *rpc; /* borrowed */
    grpc_call *call; /* owned */
    int cancelled;
};

static void refusal_done(struct rpc_tag *tag, bool ok)
{
    (void)ok; /* the caller may be gone already: all the same to us */
    struct refusal *r = container_of(tag, struct refusal, tag);
    r->rpc->calls_out--;
    grpc_call_unref(r->call);
    free(r);
}

void rpc_refuse_call(struct rpc *rpc, grpc_call *call, grpc_status_code status, const char *text)
{
    struct refusal *r = check_calloc(1, sizeof *r);
    r->tag.done = refusal_done;
    r->rpc = rpc;
    r->call = call;
    rpc->calls_out++;

    grpc_slice details = grpc_slice_from_copied_string(text);
    grpc_op ops[3] = {
        {.op = GRPC_OP_SEND_INITIAL_METADATA},
        {.op = GRPC_OP_SEND_STATUS_FROM_SERVER},
        {.op = GRPC_OP_RECV_CLOSE_ON_SERVER},
    };
    ops[1].data.send_status_from_server.status = status;
    ops[1].data.send_status_from_server.status_details = &details;
    ops[2].data.recv_close_on_server.cancelled = &r->cancelled;
    rpc_start_batch(call, ops, 3, &r->tag);
    grpc_slice_unref(details);
}
