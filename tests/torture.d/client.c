/* client.c - a client of a cell that is tortured, with many workers.
 *
 *   torture-client ENDPOINTS HISTORY FOLDER FIRST SEED KIND=COUNT...
 *
 * KIND is registers, readers, locks, keepers, elections or watches. Each worker is a thread with a
 * session of its own, and a client of the history, from number FIRST on. What they do and hear is
 * appended to the file HISTORY. It goes on until its standard input ends; then each worker
 * ends what it has begun, and the program ends with 0. */
#define _GNU_SOURCE
#include <fcntl.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "tests/history/format.h"
#include "tests/torture.d/worker.h"

enum { WORKERS_MAX = 64, CONNECT_MS = 60000 };

static const struct kind {
    const char *name;
    void (*work)(struct worker *w);
} kinds[] = {
    {"registers", registers_work}, {"readers", readers_work},     {"locks", locks_work},
    {"keepers", keepers_work},     {"elections", elections_work}, {"watches", watches_work},
};

static struct run run;
static struct {
    struct worker worker;
    const struct kind *kind;
    pthread_t thread;
} workers[WORKERS_MAX];
static uint32_t workers_count;

static int usage(void)
{
    fputs("usage: torture-client ENDPOINTS HISTORY FOLDER FIRST SEED KIND=COUNT...\n", stderr);
    return 2;
}

/* Of "KIND=COUNT". */
static bool add_workers(const char *text, uint32_t first, uint64_t seed)
{
    const char *equals = strchr(text, '=');
    unsigned long count = equals != NULL ? strtoul(equals + 1, NULL, 10) : 0;
    for (size_t k = 0; equals != NULL && k < sizeof kinds / sizeof kinds[0]; k++) {
        size_t length = (size_t)(equals - text);
        if (strlen(kinds[k].name) != length || strncmp(kinds[k].name, text, length) != 0)
            continue;
        for (; count > 0 && workers_count < WORKERS_MAX; count--) {
            uint32_t at = workers_count++;
            workers[at].kind = &kinds[k];
            workers[at].worker.run = &run;
            workers[at].worker.client = first + at;
            /* An odd multiplier: workers that are alike draw nothing alike. */
            workers[at].worker.random = (seed + first + at) * UINT64_C(0x9e3779b97f4a7c15) | 1;
        }
        return count == 0;
    }
    return false;
}

static void *work(void *argument)
{
    size_t at = (size_t)argument;
    workers[at].kind->work(&workers[at].worker);
    worker_session_end(&workers[at].worker);
    return NULL;
}

static bool history_open(const char *path)
{
    run.file = open(path, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0644);
    if (run.file >= 0 && history_write_head(run.file))
        return true;
    perror(path);
    return false;
}

static void wait_for_end_of_input(void)
{
    char bytes[64];
    while (read(STDIN_FILENO, bytes, sizeof bytes) > 0)
        continue;
}

int main(int argc, char **argv)
{
    coord_client_options options = COORD_CLIENT_OPTIONS_INIT;
    options.connect_timeout_ms = CONNECT_MS;
    if (argc < 7)
        return usage();
    run.folder = argv[3];
    for (int i = 6; i < argc; i++)
        if (!add_workers(argv[i], (uint32_t)strtoul(argv[4], NULL, 10),
                         strtoull(argv[5], NULL, 10)))
            return usage();
    if (!history_open(argv[2]))
        return 1;
    coord_error error = coord_client_open(argv[1], &options, &run.client);
    if (error != COORD_OK) {
        fprintf(stderr, "torture-client: %s (%s)\n", coord_error_text(error), coord_error_detail());
        return 1;
    }
    for (size_t i = 0; i < workers_count; i++)
        if (pthread_create(&workers[i].thread, NULL, work, (void *)i) != 0)
            return 1;
    wait_for_end_of_input();
    atomic_store(&run.stops, true);
    for (size_t i = 0; i < workers_count; i++)
        pthread_join(workers[i].thread, NULL);
    coord_client_close(run.client);
    return 0;
}
