/* writer.c - writes for as long as it may, and says what was acknowledged.
 *
 *   writer PREFIX SECONDS
 *
 * Puts its number into PREFIX/<number>, one after the other through one session,
 * and prints, when the cell has answered,
 *
 *   ack NUMBER MILLISECONDS      how long after the one before
 *   maybe NUMBER ERROR           nobody knows whether it was applied
 *
 * A kill in between loses nothing that was printed. */
#define _GNU_SOURCE
#include <coord/coord.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

enum { DEADLINE_MS = 20000, PATH_BYTES = 256 };

static int64_t now_ms(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (int64_t)now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

static int fail(const char *what, coord_error error)
{
    fprintf(stderr, "writer: %s: %s (%s)\n", what, coord_error_text(error), coord_error_detail());
    return 1;
}

int main(int argc, char **argv)
{
    const char *endpoints = getenv("COORD_ENDPOINTS");
    if (argc != 3 || endpoints == NULL) {
        fputs("usage: COORD_ENDPOINTS=... writer PREFIX SECONDS\n", stderr);
        return 2;
    }
    coord_client *client;
    coord_session *session;
    coord_error error = coord_client_open(endpoints, NULL, &client);
    if (error != COORD_OK)
        return fail("client", error);
    error = coord_session_open(client, NULL, &session);
    if (error != COORD_OK)
        return fail("session", error);

    coord_write_options options = COORD_WRITE_OPTIONS_INIT;
    options.flags = COORD_CREATE | COORD_PARENTS;
    int64_t end_ms = now_ms() + 1000 * strtol(argv[2], NULL, 10);
    int64_t last_ms = now_ms();
    for (long number = 1; now_ms() < end_ms; number++) {
        char path[PATH_BYTES], content[32];
        snprintf(path, sizeof(path), "%s/%ld", argv[1], number);
        int length = snprintf(content, sizeof(content), "%ld", number);
        error = coord_set(session, path, content, (size_t)length, &options, DEADLINE_MS, NULL);
        int64_t at_ms = now_ms();
        if (error == COORD_OK)
            printf("ack %ld %lld\n", number, (long long)(at_ms - last_ms));
        else if (error == COORD_ERR_MAYBE_APPLIED)
            printf("maybe %ld %s\n", number, coord_error_name(error));
        else
            return fail(path, error);
        fflush(stdout);
        last_ms = at_ms;
    }
    coord_session_close(session, 2000);
    coord_client_close(client);
    return 0;
}
