/* guard.c - see guard.h. */
#define _GNU_SOURCE
#include "tools/coordctl/guard.h"

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
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

enum {
    NUMBER_BYTES = 24,
    FLAGS_BYTES = 3,
    CLEAR_POLL_MS = 5,
    CLEAR_MS_MAX = 1000, /* what SIGKILL does not end, in time, we cannot end */
};

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

/* A process in a session of its own cannot give the terminal away, nor have it:
 * with the terminal the guardian only has a group of its own. */
static int spawn(struct guard *g, int orders, int report, char **argv, char **environment)
{
    posix_spawn_file_actions_t actions;
    posix_spawnattr_t attributes;
    posix_spawn_file_actions_init(&actions);
    posix_spawnattr_init(&attributes);
    sigset_t none, all;
    sigemptyset(&none);
    sigfillset(&all);
    short apart = g->has_terminal ? POSIX_SPAWN_SETPGROUP : POSIX_SPAWN_SETSID;
    posix_spawnattr_setflags(&attributes,
                             (short)(apart | POSIX_SPAWN_SETSIGMASK | POSIX_SPAWN_SETSIGDEF));
    posix_spawnattr_setpgroup(&attributes, 0);
    posix_spawnattr_setsigmask(&attributes, &none);
    posix_spawnattr_setsigdefault(&attributes, &all);
    /* Onto itself: kept open in the guardian, and in nobody else. */
    posix_spawn_file_actions_adddup2(&actions, orders, orders);
    posix_spawn_file_actions_adddup2(&actions, report, report);
    int error = posix_spawn(&g->pid, "/proc/self/exe", &actions, &attributes, argv, environment);
    posix_spawnattr_destroy(&attributes);
    posix_spawn_file_actions_destroy(&actions);
    return error;
}

static int spawn_with(struct guard *g, int orders, int report, char **argv, bool contain,
                      const char *sequencer, const char *path)
{
    char self[] = "coordctl", meant[] = GUARDIAN_ARGUMENT;
    char orders_text[NUMBER_BYTES], report_text[NUMBER_BYTES], flags[FLAGS_BYTES] = "";
    size_t flags_count = 0, count = 0;
    snprintf(orders_text, sizeof(orders_text), "%d", orders);
    snprintf(report_text, sizeof(report_text), "%d", report);
    if (g->has_terminal)
        flags[flags_count++] = GUARDIAN_TERMINAL;
    if (contain)
        flags[flags_count++] = GUARDIAN_CONTAIN;

    while (argv[count] != NULL)
        count++;
    char **list = memory_resize(NULL, count + GUARDIAN_ARGUMENTS + 1, sizeof(*list));
    char *const own[GUARDIAN_ARGUMENTS] = {self, meant, orders_text, report_text, flags};
    memcpy(list, own, sizeof(own));
    memcpy(list + GUARDIAN_ARGUMENTS, argv, (count + 1) * sizeof(*list));

    char *sequencer_variable = memory_join("COORD_LOCK_SEQUENCER=", sequencer, "");
    char *path_variable = memory_join("COORD_LOCK_PATH=", path, "");
    char **environment = environment_with(sequencer_variable, path_variable);
    int error = spawn(g, orders, report, list, environment);
    free(environment);
    free(path_variable);
    free(sequencer_variable);
    free(list);
    return error;
}

int guard_start(struct guard *ret, char **argv, bool contain, const struct guard_order *first,
                const char *sequencer, const char *path)
{
    int orders[2], report[2];
    /* A write to a guardian that is gone is to be an error; and should it die, what
     * it guarded becomes our child, so that its numbers stay taken until we are done. */
    signal(SIGPIPE, SIG_IGN);
    if (prctl(PR_SET_CHILD_SUBREAPER, 1) != 0 || pipe2(orders, O_CLOEXEC | O_NONBLOCK) != 0)
        return errno;
    if (pipe2(report, O_CLOEXEC | O_NONBLOCK) != 0) {
        int error = errno;
        close(orders[0]);
        close(orders[1]);
        return error;
    }
    *ret =
        (struct guard){.orders = orders[1], .report = report[0], .has_terminal = owns_terminal()};
    guard_order(ret, first);
    int error = spawn_with(ret, orders[0], report[1], argv, contain, sequencer, path);
    close(orders[0]);
    close(report[1]);
    if (error != 0) {
        close(ret->orders);
        close(ret->report);
    }
    return error;
}

void guard_order(const struct guard *guard, const struct guard_order *order)
{
    if (write(guard->orders, order, sizeof(*order)) < 0)
        return; /* it does not read: the last order it had holds */
}

/* The guardian is dead, and did not see to this. */
static void end_group(pid_t group)
{
    const struct timespec pause = {.tv_nsec = CLEAR_POLL_MS * 1000000L};
    for (int waited_ms = 0; waited_ms < CLEAR_MS_MAX; waited_ms += CLEAR_POLL_MS) {
        if (kill(-group, SIGKILL) != 0 && errno == ESRCH)
            return;
        nanosleep(&pause, NULL);
        while (waitpid(-group, NULL, WNOHANG) > 0)
            continue;
    }
}

static void take_terminal_back(void)
{
    sigset_t output, before;
    sigemptyset(&output);
    sigaddset(&output, SIGTTOU);
    pthread_sigmask(SIG_BLOCK, &output, &before);
    tcsetpgrp(STDIN_FILENO, getpgrp());
    pthread_sigmask(SIG_SETMASK, &before, NULL);
}

bool guard_ended(struct guard *guard, struct guard_end *ret)
{
    int status;
    if (waitpid(guard->pid, &status, WNOHANG) != guard->pid)
        return false;
    *ret = (struct guard_end){.lost = !WIFEXITED(status)};
    if (WIFEXITED(status))
        ret->code = WEXITSTATUS(status);
    guard_report report;
    while (read(guard->report, &report, sizeof(report)) == (ssize_t)sizeof(report)) {
        if (report == GUARD_REPORT_LOST)
            ret->lost = true;
        else if (report == GUARD_REPORT_NO_NAMESPACE)
            fputs("coordctl: there was no PID namespace to be had, it ran without one\n", stderr);
        else if (report > 0 && !WIFEXITED(status))
            end_group(report);
    }
    if (guard->has_terminal)
        take_terminal_back();
    close(guard->orders);
    close(guard->report);
    return true;
}
