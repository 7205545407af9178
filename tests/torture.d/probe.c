/* probe.c - does the cell get on? Asked by tests/torture after everything it did.
 *
 *   torture-probe ENDPOINTS
 *
 * Each line on standard input is the number of milliseconds that it may take. Then one
 * node is written, and one lock passes on from a session to another that waits for it;
 * the answer is
 *
 *   ok WRITE HAND_OFF      milliseconds until each was acknowledged
 *   no WHAT                what was not, in that time
 *
 * A line `fat BYTES MILLISECONDS` has it write so many bytes, in large contents, within that
 * time, whether they are acknowledged or not; the answer is `ok COUNT`, of those that were.
 * A session that expires, as it may if the cell was away for longer than its lease, is
 * opened anew within the same time. Ends with standard input. */
#define _GNU_SOURCE
#include <coord/coord.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

enum {
    LINE_BYTES = 64,
    TTL_MS = 4000,
    SHORT_MS = 1500,
    SIDES = 2,
    FAT_BYTES = 128 * 1024, /* of one content */
    FAT_MS = 1000,
};

static const char written_path[] = "/torture-probe/written", lock_path[] = "/torture-probe/lock",
                  fat_path[] = "/torture-probe/fat";

struct side {
    coord_session *session;
    coord_node *node;
    coord_lock *lock;
};

static struct {
    coord_client *client;
    struct side sides[SIDES];
    int64_t end_ms;
    uint64_t count;
    const char *doing;
} probe;

static int64_t now_ms(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (int64_t)now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

static int64_t left_ms(void)
{
    int64_t left = probe.end_ms - now_ms();
    return left > 0 ? left : 1;
}

static bool is_over(void)
{
    return now_ms() >= probe.end_ms;
}

static void side_close(struct side *s)
{
    if (s->lock != NULL)
        (void)coord_unlock(s->lock, 1);
    coord_node_close(s->node);
    if (s->session != NULL)
        (void)coord_session_close(s->session, 1);
    *s = (struct side){NULL, NULL, NULL};
}

/* Its session and handle, if it has none. */
static coord_error side_open(struct side *s)
{
    coord_session_options options = COORD_SESSION_OPTIONS_INIT;
    coord_error error = COORD_OK;
    options.ttl_ms = TTL_MS;
    options.deadline_ms = left_ms();
    if (s->session == NULL)
        error = coord_session_open(probe.client, &options, &s->session);
    if (error == COORD_OK && s->node == NULL)
        error =
            coord_open(s->session, lock_path, COORD_CREATE | COORD_PARENTS, left_ms(), &s->node);
    return error;
}

/* Does `what` until it is done; a session that is gone is replaced. */
static bool insist(struct side *s, const char *doing, coord_error (*what)(struct side *))
{
    probe.doing = doing;
    for (;;) {
        coord_error error = side_open(s);
        if (error == COORD_OK)
            error = what(s);
        if (error == COORD_OK)
            return true;
        if (is_over())
            return false;
        if (error == COORD_ERR_EXPIRED || error == COORD_ERR_INSTANCE_GONE ||
            error == COORD_ERR_INVALID)
            side_close(s);
        struct timespec moment = {.tv_nsec = 5000000};
        nanosleep(&moment, NULL);
    }
}

static coord_error do_write(struct side *s)
{
    coord_write_options options = COORD_WRITE_OPTIONS_INIT;
    char content[32];
    int length = snprintf(content, sizeof content, "%llu", (unsigned long long)probe.count);
    options.flags = COORD_CREATE | COORD_PARENTS;
    return coord_set(s->session, written_path, content, (size_t)length, &options, left_ms(), NULL);
}

static coord_error do_lock(struct side *s)
{
    /* Again and again rather than once for long: a handle whose acquire hangs on a session
     * that is dead must not eat all of the time. */
    int64_t wait_ms = left_ms() < SHORT_MS ? left_ms() : SHORT_MS;
    return coord_lock_acquire(s->node, wait_ms, &s->lock);
}

static void *wait_for_lock(void *ret_got)
{
    *(bool *)ret_got = insist(&probe.sides[1], "hand-off", do_lock);
    return NULL;
}

/* From the first, who holds it, to the second, who stands in line or soon will. */
static bool hand_over(void)
{
    struct side *from = &probe.sides[0];
    pthread_t waiter;
    bool got = false;
    if (!insist(from, "lock", do_lock))
        return false;
    if (pthread_create(&waiter, NULL, wait_for_lock, &got) != 0)
        return false;
    coord_error error = coord_unlock(from->lock, left_ms());
    from->lock = NULL;
    if (error != COORD_OK && error != COORD_ERR_MAYBE_APPLIED)
        side_close(from);
    pthread_join(waiter, NULL);
    if (!got)
        return false;
    error = coord_unlock(probe.sides[1].lock, left_ms());
    probe.sides[1].lock = NULL;
    if (error != COORD_OK)
        side_close(&probe.sides[1]);
    return true;
}

static void try_all(int64_t bound_ms)
{
    int64_t began_ms = now_ms();
    probe.end_ms = began_ms + bound_ms;
    probe.count++;
    if (!insist(&probe.sides[0], "write", do_write)) {
        printf("no %s\n", probe.doing);
        return;
    }
    int64_t written_ms = now_ms();
    if (hand_over())
        printf("ok %lld %lld\n", (long long)(written_ms - began_ms),
               (long long)(now_ms() - written_ms));
    else
        printf("no %s\n", probe.doing);
}

static void write_fat(uint64_t bytes, int64_t bound_ms)
{
    static char content[FAT_BYTES];
    struct side *s = &probe.sides[0];
    coord_write_options options = COORD_WRITE_OPTIONS_INIT;
    unsigned long long count = 0;
    options.flags = COORD_CREATE | COORD_PARENTS;
    probe.end_ms = now_ms() + bound_ms;
    memset(content, 'f', sizeof content);
    for (uint64_t i = 0; i < bytes / FAT_BYTES && !is_over(); i++) {
        coord_error error = side_open(s);
        if (error == COORD_OK)
            error =
                coord_set(s->session, fat_path, content, sizeof content, &options, FAT_MS, NULL);
        if (error == COORD_ERR_EXPIRED)
            side_close(s);
        count += error == COORD_OK;
    }
    printf("ok %llu\n", count);
}

/* False: that was no command. */
static bool obey(const char *line)
{
    unsigned long long bytes;
    long long bound_ms;
    if (sscanf(line, "fat %llu %lld", &bytes, &bound_ms) == 2) {
        write_fat(bytes, bound_ms);
        return true;
    }
    bound_ms = strtoll(line, NULL, 10);
    if (bound_ms > 0)
        try_all(bound_ms);
    return bound_ms > 0;
}

int main(int argc, char **argv)
{
    char line[LINE_BYTES];
    if (argc != 2) {
        fputs("usage: torture-probe ENDPOINTS\n", stderr);
        return 2;
    }
    coord_client_options options = COORD_CLIENT_OPTIONS_INIT;
    options.connect_timeout_ms = 60000;
    coord_error error = coord_client_open(argv[1], &options, &probe.client);
    if (error != COORD_OK) {
        fprintf(stderr, "torture-probe: %s (%s)\n", coord_error_text(error), coord_error_detail());
        return 1;
    }
    while (fgets(line, sizeof line, stdin) != NULL) {
        if (!obey(line)) {
            fputs("torture-probe: each line a number of milliseconds, or fat ...\n", stderr);
            return 2;
        }
        fflush(stdout);
    }
    for (int i = 0; i < SIDES; i++)
        side_close(&probe.sides[i]);
    coord_client_close(probe.client);
    return 0;
}
