/* child.c - see child.h. */
#define _GNU_SOURCE
#include "tools/coordctl/child.h"

#include <errno.h>
#include <signal.h>
#include <spawn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "tools/coordctl/memory.h"
#include "tools/coordctl/units.h"

/* coordctl --become-child PARENT CMD ARG... */
static const char BECOME[] = "--become-child";
enum { BECOME_ARGUMENTS = 3, PID_TEXT_BYTES = 24 };

/* What shells say. */
enum { CODE_NOT_EXECUTABLE = 126, CODE_NOT_FOUND = 127, CODE_SIGNAL = 128 };

enum { CLEAR_POLL_MS = 10 };

bool child_is_becoming(int argc, char **argv)
{
    return argc > BECOME_ARGUMENTS && strcmp(argv[1], BECOME) == 0;
}

void child_become(char **argv)
{
    uint64_t parent;
    char **command = argv + BECOME_ARGUMENTS;
    if (prctl(PR_SET_PDEATHSIG, SIGKILL) != 0 || !units_parse_u64(argv[2], &parent))
        _exit(CODE_NOT_EXECUTABLE);
    if ((uint64_t)getppid() != parent) /* it died before the line above */
        raise(SIGKILL);
    execvp(command[0], command);
    int error = errno;
    fprintf(stderr, "coordctl: %s: %s\n", command[0], strerror(error));
    _exit(error == ENOENT ? CODE_NOT_FOUND : CODE_NOT_EXECUTABLE);
}

/* The environment with our two variables, and without what had their names. */
static char **environment_with(char *sequencer, char *path)
{
    size_t count = 0, kept = 0;
    while (environ[count] != NULL)
        count++;
    char **list = memory_resize(NULL, count + 3, sizeof(*list));
    for (size_t i = 0; i < count; i++) {
        if (strncmp(environ[i], "COORD_LOCK_SEQUENCER=", 21) != 0 &&
            strncmp(environ[i], "COORD_LOCK_PATH=", 16) != 0)
            list[kept++] = environ[i];
    }
    list[kept++] = sequencer;
    list[kept++] = path;
    list[kept] = NULL;
    return list;
}

static bool owns_terminal(void)
{
    return isatty(STDIN_FILENO) && tcgetpgrp(STDIN_FILENO) == getpgrp();
}

static int spawn(pid_t *ret, char **argv, char **environment, bool terminal)
{
    posix_spawn_file_actions_t actions;
    posix_spawnattr_t attributes;
    posix_spawn_file_actions_init(&actions);
    posix_spawnattr_init(&attributes);
    sigset_t none, all;
    sigemptyset(&none);
    sigfillset(&all);
    posix_spawnattr_setflags(&attributes, POSIX_SPAWN_SETPGROUP | POSIX_SPAWN_SETSIGMASK |
                                              POSIX_SPAWN_SETSIGDEF);
    posix_spawnattr_setpgroup(&attributes, 0);
    posix_spawnattr_setsigmask(&attributes, &none);
    posix_spawnattr_setsigdefault(&attributes, &all);
    if (terminal)
        posix_spawn_file_actions_addtcsetpgrp_np(&actions, STDIN_FILENO);
    int error = posix_spawn(ret, "/proc/self/exe", &actions, &attributes, argv, environment);
    posix_spawnattr_destroy(&attributes);
    posix_spawn_file_actions_destroy(&actions);
    return error;
}

int child_start(struct child *ret, char **argv, const char *sequencer, const char *path)
{
    char self[] = "coordctl", become[sizeof(BECOME)], parent[PID_TEXT_BYTES];
    memcpy(become, BECOME, sizeof(BECOME));
    snprintf(parent, sizeof(parent), "%ld", (long)getpid());

    size_t count = 0;
    while (argv[count] != NULL)
        count++;
    char **list = memory_resize(NULL, count + BECOME_ARGUMENTS + 1, sizeof(*list));
    list[0] = self;
    list[1] = become;
    list[2] = parent;
    memcpy(list + BECOME_ARGUMENTS, argv, (count + 1) * sizeof(*list));

    char *sequencer_variable = memory_join("COORD_LOCK_SEQUENCER=", sequencer, "");
    char *path_variable = memory_join("COORD_LOCK_PATH=", path, "");
    char **environment = environment_with(sequencer_variable, path_variable);

    ret->has_terminal = owns_terminal();
    int error = spawn(&ret->pid, list, environment, ret->has_terminal);
    free(environment);
    free(path_variable);
    free(sequencer_variable);
    free(list);
    return error;
}

void child_signal(const struct child *child, int signal_number)
{
    kill(-child->pid, signal_number);
}

bool child_ended(const struct child *child, int *ret_code)
{
    int status;
    if (waitpid(child->pid, &status, WNOHANG) != child->pid)
        return false;
    if (WIFEXITED(status))
        *ret_code = WEXITSTATUS(status);
    else if (WIFSIGNALED(status))
        *ret_code = CODE_SIGNAL + WTERMSIG(status);
    else
        return false;
    return true;
}

void child_clear(const struct child *child, int64_t patience_ms)
{
    const struct timespec pause = {.tv_nsec = CLEAR_POLL_MS * 1000000L};
    if (kill(-child->pid, SIGTERM) == 0) {
        for (int64_t waited_ms = 0; waited_ms < patience_ms && kill(-child->pid, 0) == 0;
             waited_ms += CLEAR_POLL_MS)
            nanosleep(&pause, NULL);
        kill(-child->pid, SIGKILL);
    }
    if (child->has_terminal) {
        sigset_t output, before;
        sigemptyset(&output);
        sigaddset(&output, SIGTTOU);
        pthread_sigmask(SIG_BLOCK, &output, &before);
        tcsetpgrp(STDIN_FILENO, getpgrp());
        pthread_sigmask(SIG_SETMASK, &before, NULL);
    }
}
