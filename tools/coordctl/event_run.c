/* event_run.c - see event_run.h. */
#define _GNU_SOURCE
#include "tools/coordctl/event_run.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <signal.h>
#include <spawn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include "tools/coordctl/child.h"
#include "tools/coordctl/memory.h"
#include "tools/coordctl/signals.h"

enum { VARIABLES_COUNT = 5, NUMBER_BYTES = 24 };
static const char variables_prefix[] = "COORD_EVENT_";

static char *number_variable(const char *name, uint64_t number)
{
    char text[NUMBER_BYTES];
    snprintf(text, sizeof(text), "%" PRIu64, number);
    return memory_join(name, text, "");
}

/* The environment with our variables, and without what had such names. The first
 * VARIABLES_COUNT are to be freed. */
static char **environment_with(const struct event_words *e)
{
    size_t count = 0, kept = VARIABLES_COUNT;
    while (environ[count] != NULL)
        count++;
    char **list = memory_resize(NULL, count + VARIABLES_COUNT + 1, sizeof(*list));
    list[0] = memory_join("COORD_EVENT_KIND=", e->kind, "");
    list[1] = memory_join("COORD_EVENT_PATH=", e->path, "");
    list[2] = number_variable("COORD_EVENT_REVISION=", e->revision);
    list[3] = number_variable("COORD_EVENT_EXISTS=", e->exists);
    list[4] = number_variable("COORD_EVENT_GENERATION=", e->generation);
    for (size_t i = 0; i < count; i++)
        if (strncmp(environ[i], variables_prefix, sizeof(variables_prefix) - 1) != 0)
            list[kept++] = environ[i];
    list[kept] = NULL;
    return list;
}

/* A file that nobody else sees: a pipe would have to be fed while it runs. -1: errno. */
static int input_of(const struct event_words *e)
{
    if (e->value == NULL)
        return open("/dev/null", O_RDONLY | O_CLOEXEC);
    int fd = memfd_create("value", MFD_CLOEXEC);
    const char *at = e->value;
    size_t left = fd >= 0 ? e->value_length : 0;
    while (left > 0) {
        ssize_t wrote = write(fd, at, left);
        if (wrote <= 0) {
            close(fd);
            return -1;
        }
        at += wrote;
        left -= (size_t)wrote;
    }
    if (fd >= 0 && lseek(fd, 0, SEEK_SET) != 0) {
        close(fd);
        return -1;
    }
    return fd;
}

static int spawn(pid_t *ret, const char *command, int input, char **environment)
{
    char shell[] = "sh", dash_c[] = "-c";
    char *text = memory_join(command, "", "");
    char *const argv[] = {shell, dash_c, text, NULL};
    posix_spawn_file_actions_t actions;
    posix_spawnattr_t attributes;
    sigset_t none, all;
    sigemptyset(&none);
    sigfillset(&all);
    posix_spawn_file_actions_init(&actions);
    posix_spawn_file_actions_adddup2(&actions, input, STDIN_FILENO);
    posix_spawnattr_init(&attributes);
    posix_spawnattr_setflags(&attributes, POSIX_SPAWN_SETPGROUP | POSIX_SPAWN_SETSIGMASK |
                                              POSIX_SPAWN_SETSIGDEF);
    posix_spawnattr_setpgroup(&attributes, 0);
    posix_spawnattr_setsigmask(&attributes, &none);
    posix_spawnattr_setsigdefault(&attributes, &all);
    int error = posix_spawn(ret, "/bin/sh", &actions, &attributes, argv, environment);
    posix_spawnattr_destroy(&attributes);
    posix_spawn_file_actions_destroy(&actions);
    free(text);
    return error;
}

static int wait_for(pid_t pid, bool *told)
{
    int status;
    while (waitpid(pid, &status, WNOHANG) == 0) {
        int taken = signals_wait(-1);
        if (!signals_is_end(taken))
            continue;
        *told = true;
        kill(-pid, taken);
    }
    return child_code(status);
}

int event_run(const char *command, const struct event_words *event, bool *told)
{
    pid_t pid = 0;
    int input = input_of(event);
    char **environment = environment_with(event);
    int error = input < 0 ? errno : spawn(&pid, command, input, environment);
    for (size_t i = 0; i < VARIABLES_COUNT; i++)
        free(environment[i]);
    free(environment);
    if (input >= 0)
        close(input);
    if (error != 0) {
        fprintf(stderr, "coordctl: /bin/sh: %s\n", strerror(error));
        return CODE_NOT_EXECUTABLE;
    }
    return wait_for(pid, told);
}
