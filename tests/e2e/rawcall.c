/* rawcall.c - call any method of a server with any bytes.
 *
 *   rawcall TARGET METHOD [--deadline-ms N] [KEY=VALUE...]
 *
 * KEY=VALUE is initial metadata. Each line of standard input is one message in
 * hexadecimal (an empty line: an empty message), sent as it is; end of file ends
 * our side of the stream. Prints, as they come, `message HEX` and at last
 * `status CODE TEXT`, and exits 0 then. It knows nothing of the protocol, so that
 * tests can say what no client would say. */
#define _GNU_SOURCE
#include <grpc/grpc.h>
#include <grpc/grpc_security.h>
#include <grpc/support/alloc.h>
#include <pthread.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <grpc/byte_buffer_reader.h>

enum { METADATA_MAX = 8, DEADLINE_MS_DEFAULT = 5000 };

static grpc_completion_queue *queue;
static grpc_call *call;

static void fail(const char *why)
{
    fprintf(stderr, "rawcall: %s\n", why);
    exit(2);
}

/* One batch, to its end; false if it did not succeed. Each thread has its tag. */
static bool run_batch(const grpc_op *ops, size_t count, void *tag)
{
    if (grpc_call_start_batch(call, ops, count, tag, NULL) != GRPC_CALL_OK)
        fail("a batch was refused");
    grpc_event event =
        grpc_completion_queue_pluck(queue, tag, gpr_inf_future(GPR_CLOCK_REALTIME), NULL);
    return event.type == GRPC_OP_COMPLETE && event.success != 0;
}

static void print_message(grpc_byte_buffer *message)
{
    grpc_byte_buffer_reader reader;
    grpc_slice slice;
    if (!grpc_byte_buffer_reader_init(&reader, message))
        fail("a message cannot be read");
    flockfile(stdout);
    fputs("message ", stdout);
    while (grpc_byte_buffer_reader_next(&reader, &slice)) {
        for (size_t i = 0; i < GRPC_SLICE_LENGTH(slice); i++)
            printf("%02x", GRPC_SLICE_START_PTR(slice)[i]);
        grpc_slice_unref(slice);
    }
    putchar('\n');
    fflush(stdout);
    funlockfile(stdout);
    grpc_byte_buffer_reader_destroy(&reader);
}

/* Ends the process when the server has ended the call. */
static void *receive(void *tag)
{
    grpc_metadata_array initial, trailing;
    grpc_metadata_array_init(&initial);
    grpc_metadata_array_init(&trailing);
    grpc_op op = {.op = GRPC_OP_RECV_INITIAL_METADATA};
    op.data.recv_initial_metadata.recv_initial_metadata = &initial;
    bool open = run_batch(&op, 1, tag);
    while (open) {
        grpc_byte_buffer *message = NULL;
        op = (grpc_op){.op = GRPC_OP_RECV_MESSAGE};
        op.data.recv_message.recv_message = &message;
        open = run_batch(&op, 1, tag) && message != NULL;
        if (open)
            print_message(message);
        grpc_byte_buffer_destroy(message);
    }
    grpc_status_code status;
    grpc_slice details = grpc_empty_slice();
    op = (grpc_op){.op = GRPC_OP_RECV_STATUS_ON_CLIENT};
    op.data.recv_status_on_client.trailing_metadata = &trailing;
    op.data.recv_status_on_client.status = &status;
    op.data.recv_status_on_client.status_details = &details;
    run_batch(&op, 1, tag);
    printf("status %d %.*s\n", (int)status, (int)GRPC_SLICE_LENGTH(details),
           (const char *)GRPC_SLICE_START_PTR(details));
    fflush(stdout);
    _exit(0); /* the other thread may be in the middle of a read of standard input */
}

static int digit_of(char c)
{
    const char *at = c != '\0' ? strchr("0123456789abcdef", c) : NULL;
    return at != NULL ? (int)(at - "0123456789abcdef") : -1;
}

static grpc_byte_buffer *message_of(const char *line, size_t length)
{
    grpc_slice slice = grpc_slice_malloc(length / 2);
    for (size_t i = 0; i + 1 < length; i += 2) {
        int high = digit_of(line[i]), low = digit_of(line[i + 1]);
        if (high < 0 || low < 0)
            fail("a line is no hexadecimal");
        GRPC_SLICE_START_PTR(slice)[i / 2] = (uint8_t)(high << 4 | low);
    }
    grpc_byte_buffer *message = grpc_raw_byte_buffer_create(&slice, 1);
    grpc_slice_unref(slice);
    return message;
}

static void send_all(void *tag)
{
    char *line = NULL;
    size_t capacity = 0;
    for (;;) {
        ssize_t got = getline(&line, &capacity, stdin);
        if (got < 0)
            break;
        size_t length = (size_t)got - (line[got - 1] == '\n');
        grpc_byte_buffer *message = message_of(line, length);
        grpc_op op = {.op = GRPC_OP_SEND_MESSAGE};
        op.data.send_message.send_message = message;
        bool sent = run_batch(&op, 1, tag);
        grpc_byte_buffer_destroy(message);
        if (!sent)
            break; /* the status says why */
    }
    free(line);
    grpc_op op = {.op = GRPC_OP_SEND_CLOSE_FROM_CLIENT};
    run_batch(&op, 1, tag);
}

static void start(size_t metadata_count, grpc_metadata *metadata, void *tag)
{
    grpc_op op = {.op = GRPC_OP_SEND_INITIAL_METADATA};
    op.data.send_initial_metadata.count = metadata_count;
    op.data.send_initial_metadata.metadata = metadata;
    run_batch(&op, 1, tag);
}

int main(int argc, char **argv)
{
    if (argc < 3)
        fail("usage: rawcall TARGET METHOD [--deadline-ms N] [KEY=VALUE...]");
    grpc_metadata metadata[METADATA_MAX];
    size_t metadata_count = 0;
    long deadline_ms = DEADLINE_MS_DEFAULT;
    for (int i = 3; i < argc; i++) {
        if (strcmp(argv[i], "--deadline-ms") == 0 && i + 1 < argc) {
            deadline_ms = strtol(argv[++i], NULL, 10);
            continue;
        }
        char *equals = strchr(argv[i], '=');
        if (equals == NULL || metadata_count == METADATA_MAX)
            fail("metadata is KEY=VALUE, not too often");
        metadata[metadata_count++] = (grpc_metadata){
            .key = grpc_slice_from_copied_buffer(argv[i], (size_t)(equals - argv[i])),
            .value = grpc_slice_from_copied_string(equals + 1)};
    }

    grpc_init();
    grpc_arg arguments[] = {
        {.type = GRPC_ARG_INTEGER, .key = (char *)"grpc.enable_http_proxy", .value.integer = 0},
        {.type = GRPC_ARG_INTEGER,
         .key = (char *)GRPC_ARG_MAX_RECEIVE_MESSAGE_LENGTH,
         .value.integer = -1},
    };
    grpc_channel_args channel_args = {sizeof(arguments) / sizeof(arguments[0]), arguments};
    grpc_channel_credentials *insecure = grpc_insecure_credentials_create();
    grpc_channel *channel = grpc_channel_create(argv[1], insecure, &channel_args);
    grpc_channel_credentials_release(insecure);
    queue = grpc_completion_queue_create_for_pluck(NULL);
    gpr_timespec deadline =
        gpr_time_add(gpr_now(GPR_CLOCK_REALTIME), gpr_time_from_millis(deadline_ms, GPR_TIMESPAN));
    call = grpc_channel_create_call(channel, NULL, GRPC_PROPAGATE_DEFAULTS, queue,
                                    grpc_slice_from_copied_string(argv[2]), NULL, deadline, NULL);
    int send_tag, receive_tag;
    start(metadata_count, metadata, &send_tag);
    pthread_t receiver;
    if (pthread_create(&receiver, NULL, receive, &receive_tag) != 0)
        fail("no thread");
    send_all(&send_tag);
    pthread_join(receiver, NULL);
    return 0;
}
