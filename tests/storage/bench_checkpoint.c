/* bench_checkpoint.c - what checkpoints of a large state cost:
 *
 *     bench-checkpoint DIRECTORY [RECORDS]
 *
 * makes a state.db in an empty directory with so many records of about 120 bytes
 * (a million if not said) and tells the time, and the processor's share of it, of each
 * thing a server does with it, and the most memory that the process ever had. Not a test: nothing
 * runs it. */
#define _GNU_SOURCE
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <time.h>

#include "coordd/replica/chunk.h"
#include "coordd/storage/checkpoint.h"
#include "libcoord/base/prng.h"

enum {
    RECORDS = 1000 * 1000,
    CHANGED = 10 * 1000,
    KEY_BYTES = 32,
    VALUE_BYTES = 90,
    WHY_BYTES = 256,
    STRIDE = 7919, /* a prime: what changes lies all over the database */
};

static struct checkpoint *checkpoint;
static char why[WHY_BYTES];

/* When something began. */
struct watch {
    double real_s, cpu_s;
};

static double clock_s(clockid_t clock)
{
    struct timespec now;

    clock_gettime(clock, &now);
    return (double)now.tv_sec + (double)now.tv_nsec / 1e9;
}

static struct watch watch_now(void)
{
    return (struct watch){clock_s(CLOCK_MONOTONIC), clock_s(CLOCK_PROCESS_CPUTIME_ID)};
}

static void must(enum store_result r)
{
    if (r == STORE_OK)
        return;
    fprintf(stderr, "%s: %s\n", store_result_text(r),
            checkpoint == NULL ? why : checkpoint_why(checkpoint));
    exit(1);
}

/* What was done since then, and begins it anew. */
static void report(const char *what, struct watch *since)
{
    struct watch now = watch_now();
    struct rusage usage;

    getrusage(RUSAGE_SELF, &usage);
    printf("%-32s %7.3f s, cpu %7.3f s, at most %ld KiB of memory\n", what,
           now.real_s - since->real_s, now.cpu_s - since->cpu_s, usage.ru_maxrss);
    *since = watch_now();
}

static void open_checkpoint(const char *directory)
{
    static const struct store_identity identity = {.self = 1, .incarnation = 1};

    must(checkpoint_open(directory, &identity, NULL, &checkpoint, NULL, why, sizeof why));
}

static void add_record(struct buffer *chunk, uint32_t i, uint64_t version)
{
    uint8_t value[VALUE_BYTES];
    char key[KEY_BYTES];
    struct prng prng;

    prng_init(&prng, version << 32 | i);
    prng_fill(&prng, value, sizeof value);
    snprintf(key, sizeof key, "node/service/%09u", i);
    chunk_put(chunk, slice_of_string(key), slice_of(value, sizeof value));
}

/* `count` of `records`, each `stride` behind the one before. */
static void write_checkpoint(const char *what, uint64_t slot, uint32_t records, uint32_t count,
                             uint32_t stride)
{
    struct buffer chunk = BUFFER_INIT;
    char name[64];
    struct watch watch = watch_now();

    must(checkpoint_begin(checkpoint, count == records));
    for (uint32_t i = 0; i < count; i++) {
        add_record(&chunk, (uint32_t)((uint64_t)i * stride % records), slot);
        if (chunk.length < CHUNK_BYTES && i + 1 < count)
            continue;
        must(checkpoint_put(checkpoint, buffer_slice(&chunk)));
        buffer_clear(&chunk);
    }
    snprintf(name, sizeof name, "%s: write", what);
    report(name, &watch);
    must(checkpoint_commit(checkpoint, slot, slice_of("x", 1)));
    snprintf(name, sizeof name, "%s: commit", what);
    report(name, &watch);
    must(checkpoint_maintain(checkpoint));
    snprintf(name, sizeof name, "%s: move", what);
    report(name, &watch);
    buffer_release(&chunk);
}

static void read_all(void)
{
    struct checkpoint_reader *reader;
    struct buffer chunk = BUFFER_INIT;
    struct watch watch = watch_now();
    bool last = false;

    must(checkpoint_reader_open(checkpoint, &reader));
    while (!last) {
        buffer_clear(&chunk);
        must(checkpoint_reader_next(reader, CHUNK_BYTES, &chunk, &last));
    }
    checkpoint_reader_close(reader);
    buffer_release(&chunk);
    report("read through a reader", &watch);
}

static bool count_record(void *context, struct slice key, struct slice value)
{
    (void)key;
    (void)value;
    ++*(uint32_t *)context;
    return true;
}

int main(int argc, char **argv)
{
    uint32_t records = argc > 2 ? (uint32_t)strtoul(argv[2], NULL, 10) : RECORDS, found = 0;
    struct watch watch;

    if (argc < 2 || records < CHANGED) {
        fprintf(stderr, "usage: bench-checkpoint DIRECTORY [RECORDS]\n");
        return 2;
    }
    open_checkpoint(argv[1]);
    write_checkpoint("whole, into an empty one", 1, records, records, 1);
    write_checkpoint("whole, in its place", 2, records, records, 1);
    write_checkpoint("10,000 changed", 3, records, CHANGED, STRIDE);
    read_all();
    checkpoint_close(checkpoint);
    checkpoint = NULL;
    watch = watch_now();
    open_checkpoint(argv[1]);
    report("open", &watch);
    must(checkpoint_load(checkpoint, count_record, &found));
    report("load", &watch);
    checkpoint_close(checkpoint);
    return found == records ? 0 : 1;
}
