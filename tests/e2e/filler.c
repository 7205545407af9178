/* filler.c - many nodes, fast: makes them, or writes them again in no order.
 *
 *   filler make   PREFIX COUNT BYTES
 *   filler change PREFIX COUNT BYTES RATE     (for ever; so many each second)
 *
 * Node number N is PREFIX/<N / 1000>/<N>. Prints `made N` now and then and at the end;
 * a write that is refused ends it: `stopped NUMBER-ACKNOWLEDGED ERROR`, and 3. */
#define _GNU_SOURCE
#include <coord/coord.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

enum {
    DEADLINE_MS = 60000,
    UNDER_WAY_MAX = 2000,
    PATH_BYTES = 256,
    FOLDER = 1000,
    TELL_EVERY = 20000,
    BYTES_MAX = 256 * 1024,
};

static _Atomic long acknowledged, refused;
static _Atomic int error_seen;

static void pause_us(long us)
{
    struct timespec t = {us / 1000000, us % 1000000 * 1000};
    nanosleep(&t, NULL);
}

static void done(void *context, const coord_result *result)
{
    (void)context;
    if (result->error == COORD_OK) {
        acknowledged++;
        return;
    }
    error_seen = (int)result->error;
    refused++;
}

/* False if the cell refuses. */
static bool put(coord_session *session, const char *prefix, long number, const char *content,
                size_t bytes)
{
    coord_write_options options = COORD_WRITE_OPTIONS_INIT;
    char path[PATH_BYTES];
    coord_error e = COORD_ERR_THROTTLED;

    options.flags = COORD_CREATE | COORD_PARENTS;
    snprintf(path, sizeof path, "%s/%ld/%ld", prefix, number / FOLDER, number);
    while (e == COORD_ERR_THROTTLED && refused == 0) {
        e = coord_set_async(session, path, content, bytes, &options, DEADLINE_MS, done, NULL);
        if (e == COORD_ERR_THROTTLED)
            pause_us(200);
    }
    if (e == COORD_OK || refused > 0)
        return refused == 0;
    error_seen = (int)e;
    return false;
}

static int fill(coord_session *session, char **argv, bool changes)
{
    long count = strtol(argv[2], NULL, 10), bytes = strtol(argv[3], NULL, 10);
    long rate = changes ? strtol(argv[4], NULL, 10) : 0;
    char *content = malloc(BYTES_MAX);
    unsigned long draw = 1;
    long begun = 0;
    bool ok = content != NULL && bytes <= BYTES_MAX && count > 0;

    for (long i = 0; ok && i < bytes; i++)
        content[i] = (char)('a' + i % 26);
    for (; ok && (changes || begun < count); begun++) {
        draw = draw * 6364136223846793005ul + 1442695040888963407ul;
        while (begun - acknowledged >= UNDER_WAY_MAX && refused == 0)
            pause_us(100);
        ok = put(session, argv[1], changes ? (long)((draw >> 20) % (unsigned long)count) : begun,
                 content, (size_t)bytes);
        if (changes)
            pause_us(1000000 / rate);
        if (begun % TELL_EVERY == 0) {
            printf("made %ld\n", (long)acknowledged);
            fflush(stdout);
        }
    }
    while (acknowledged + refused < begun && refused == 0)
        pause_us(1000);
    ok = ok && refused == 0;
    if (ok)
        printf("made %ld\n", (long)acknowledged);
    else
        printf("stopped %ld %s\n", (long)acknowledged, coord_error_name((coord_error)error_seen));
    fflush(stdout);
    free(content);
    return ok ? 0 : 3;
}

int main(int argc, char **argv)
{
    bool changes = argc > 1 && strcmp(argv[1], "change") == 0;
    coord_client *client;
    coord_session *session;
    int status;

    if (argc != (changes ? 6 : 5) || getenv("COORD_ENDPOINTS") == NULL) {
        fputs("usage: COORD_ENDPOINTS=... filler make PREFIX COUNT BYTES\n", stderr);
        return 2;
    }
    if (coord_client_open(getenv("COORD_ENDPOINTS"), NULL, &client) != COORD_OK ||
        coord_session_open(client, NULL, &session) != COORD_OK) {
        fprintf(stderr, "filler: %s\n", coord_error_detail());
        return 1;
    }
    status = fill(session, argv + 1, changes);
    coord_session_close(session, DEADLINE_MS);
    coord_client_close(client);
    return status;
}
