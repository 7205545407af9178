/* probe.c - see probe.h. */
#include "coordd/rpc/probe.h"

#include <grpc/byte_buffer_reader.h>
#include <grpc/grpc.h>
#include <grpc/grpc_security.h>

#include "coord/v1/coord.pb-c.h"
#include "coordd/rpc/internal.h"
#include "libcoord/base/check.h"

enum {
    PROBE_REQUEST_BYTES_MAX = 64,
};

static grpc_byte_buffer *request_bytes(void)
{
    static char root[] = "/";
    Coord__V1__GetStat stat = COORD__V1__GET_STAT__INIT;
    Coord__V1__Read read = COORD__V1__READ__INIT;
    Coord__V1__ExecuteRequest request = COORD__V1__EXECUTE_REQUEST__INIT;
    stat.path = root;
    read.op_case = COORD__V1__READ__OP_STAT;
    read.stat = &stat;
    request.request_case = COORD__V1__EXECUTE_REQUEST__REQUEST_READ;
    request.read = &read;

    uint8_t packed[PROBE_REQUEST_BYTES_MAX];
    CHECK(coord__v1__execute_request__get_packed_size(&request) <= sizeof packed);
    size_t length = coord__v1__execute_request__pack(&request, packed);
    grpc_slice slice = grpc_slice_from_copied_buffer((const char *)packed, length);
    grpc_byte_buffer *bytes = grpc_raw_byte_buffer_create(&slice, 1);
    grpc_slice_unref(slice);
    return bytes;
}

static bool says_ok(grpc_byte_buffer *message)
{
    grpc_byte_buffer_reader reader;
    if (message == NULL || !grpc_byte_buffer_reader_init(&reader, message))
        return false;
    grpc_slice bytes = grpc_byte_buffer_reader_readall(&reader);
    grpc_byte_buffer_reader_destroy(&reader);
    Coord__V1__Answer *answer =
        coord__v1__answer__unpack(NULL, GRPC_SLICE_LENGTH(bytes), GRPC_SLICE_START_PTR(bytes));
    bool ok = answer != NULL && answer->status == COORD__V1__STATUS__OK;
    coord__v1__answer__free_unpacked(answer, NULL);
    grpc_slice_unref(bytes);
    return ok;
}

static bool ask(grpc_call *call, grpc_completion_queue *queue)
{
    grpc_metadata_array initial, trailing;
    grpc_metadata_array_init(&initial);
    grpc_metadata_array_init(&trailing);
    grpc_byte_buffer *request = request_bytes(), *answer = NULL;
    grpc_status_code status = GRPC_STATUS_UNKNOWN;
    grpc_slice details = grpc_empty_slice();
    grpc_op ops[6] = {
        {.op = GRPC_OP_SEND_INITIAL_METADATA},  {.op = GRPC_OP_SEND_MESSAGE},
        {.op = GRPC_OP_SEND_CLOSE_FROM_CLIENT}, {.op = GRPC_OP_RECV_INITIAL_METADATA},
        {.op = GRPC_OP_RECV_MESSAGE},           {.op = GRPC_OP_RECV_STATUS_ON_CLIENT},
    };
    ops[1].data.send_message.send_message = request;
    ops[3].data.recv_initial_metadata.recv_initial_metadata = &initial;
    ops[4].data.recv_message.recv_message = &answer;
    ops[5].data.recv_status_on_client.trailing_metadata = &trailing;
    ops[5].data.recv_status_on_client.status = &status;
    ops[5].data.recv_status_on_client.status_details = &details;
    CHECK(grpc_call_start_batch(call, ops, 6, NULL, NULL) == GRPC_CALL_OK);
    /* The call's deadline ends it; no other is needed here. */
    (void)grpc_completion_queue_next(queue, gpr_inf_future(GPR_CLOCK_MONOTONIC), NULL);

    bool ok = status == GRPC_STATUS_OK && says_ok(answer);
    grpc_byte_buffer_destroy(request);
    grpc_byte_buffer_destroy(answer);
    grpc_slice_unref(details);
    grpc_metadata_array_destroy(&initial);
    grpc_metadata_array_destroy(&trailing);
    return ok;
}

bool probe_serves(const char *address, uint32_t timeout_ms)
{
    struct address parsed;
    char target[ADDRESS_TARGET_BYTES_MAX];
    if (!address_parse(address, &parsed))
        return false;
    address_target(&parsed, target, sizeof target);

    grpc_init();
    struct args args;
    rpc_args_peer(&args);
    grpc_channel_credentials *insecure = grpc_insecure_credentials_create();
    grpc_channel *channel = grpc_channel_create(target, insecure, &args.args);
    grpc_channel_credentials_release(insecure);
    grpc_completion_queue *queue = grpc_completion_queue_create_for_next(NULL);
    gpr_timespec deadline =
        gpr_time_add(gpr_now(GPR_CLOCK_MONOTONIC), gpr_time_from_millis(timeout_ms, GPR_TIMESPAN));
    grpc_call *call = grpc_channel_create_call(
        channel, NULL, GRPC_PROPAGATE_DEFAULTS, queue,
        grpc_slice_from_static_string("/coord.v1.Coord/Execute"), NULL, deadline, NULL);

    bool serves = ask(call, queue);

    grpc_call_unref(call);
    grpc_channel_destroy(channel);
    grpc_completion_queue_shutdown(queue);
    while (grpc_completion_queue_next(queue, gpr_inf_future(GPR_CLOCK_MONOTONIC), NULL).type !=
           GRPC_QUEUE_SHUTDOWN)
        continue;
    grpc_completion_queue_destroy(queue);
    grpc_shutdown();
    return serves;
}
