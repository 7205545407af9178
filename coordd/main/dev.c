/* dev.c - see dev.h. */
#define _GNU_SOURCE
#include "coordd/main/dev.h"

#include <errno.h>
#include <inttypes.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <time.h>

#include "coordd/main/clock.h"
#include "coordd/main/dev_cell.h"
#include "coordd/main/exit_codes.h"
#include "coordd/rpc/probe.h"
#include "libcoord/base/units.h"

enum {
    READY_MS_MAX = 60 * 1000,
    PROBE_MS = 500,      /* for one member to answer */
    PROBE_PAUSE_MS = 20, /* between two rounds of asking */
    STOP_MS_MAX = 8000,  /* for members to end by themselves */
    LOG_TAIL_BYTES = 1024,
};

enum err dev_configure(int argc, char **argv, struct dev_config *ret, char *why)
{
    char dir[SETTING_TEXT_BYTES_MAX] = "";
    uint64_t port = 0, members = DEV_MEMBERS_DEFAULT;
    const struct setting settings[] = {
        {.key = "dir", .kind = SETTING_TEXT, .value = dir},
        {"port", SETTING_NUMBER, false, &port, 1, UINT16_MAX - REPLICA_MEMBERS_MAX},
        {"members", SETTING_NUMBER, false, &members, 1, REPLICA_MEMBERS_MAX},
    };
    enum err e =
        settings_take_arguments(settings, sizeof settings / sizeof settings[0], argc, argv, why);
    if (e != ERR_OK)
        return e;
    if (dir[0] == '\0' || port == 0) {
        (void)snprintf(why, SETTINGS_WHY_BYTES, "%s is missing",
                       dir[0] == '\0' ? "--dir" : "--port");
        return ERR_INVALID;
    }
    if (strlen(dir) >= sizeof ret->dir) {
        (void)snprintf(why, SETTINGS_WHY_BYTES, "--dir: too long");
        return ERR_INVALID;
    }
    memcpy(ret->dir, dir, strlen(dir) + 1);
    ret->port = (uint16_t)port;
    ret->members_count = (uint32_t)members;
    return ERR_OK;
}

/* A line for whoever reads our stdout, at once. */
__attribute__((format(printf, 1, 2))) static void say(const char *format, ...)
{
    va_list arguments;
    va_start(arguments, format);
    (void)vprintf(format, arguments);
    va_end(arguments);
    (void)fflush(stdout);
}

static void say_plan(const struct dev_cell *c)
{
    say("endpoints: ");
    for (uint32_t i = 0; i < c->members_count; i++)
        say("%s%s", i == 0 ? "" : ",", c->members[i].address);
    say("\nlogs: %s/log", c->members[0].dir);
    if (c->members_count > 1)
        say(" to %s/log", c->members[c->members_count - 1].dir);
    say("\n");
    for (uint32_t i = 0; i < c->members_count; i++) {
        const struct dev_member *m = &c->members[i];
        say("member %" PRIu32 " at %s, pid %d, start it again: %s\n", m->id, m->address,
            (int)m->pid, m->command);
    }
}

/* ---- members that end ---- */

static uint32_t running_count(const struct dev_cell *c)
{
    uint32_t count = 0;
    for (uint32_t i = 0; i < c->members_count; i++)
        count += c->members[i].pid != 0;
    return count;
}

/* The last line that a member wrote says best why it ended. */
static void show_last_line(const struct dev_member *m)
{
    char path[sizeof m->dir + 8], tail[LOG_TAIL_BYTES + 1];
    (void)snprintf(path, sizeof path, "%s/log", m->dir);
    FILE *file = fopen(path, "re");
    if (file == NULL)
        return;
    if (fseek(file, -(long)LOG_TAIL_BYTES, SEEK_END) != 0)
        rewind(file);
    size_t length = fread(tail, 1, LOG_TAIL_BYTES, file);
    (void)fclose(file);
    while (length > 0 && tail[length - 1] == '\n')
        length--;
    tail[length] = '\0';
    const char *newline = strrchr(tail, '\n');
    if (length > 0)
        (void)fprintf(stderr, "coordd dev: member %" PRIu32 ": %s\n", m->id,
                      newline == NULL ? tail : newline + 1);
}

static void report_death(const struct dev_member *m, int status)
{
    bool killed = WIFSIGNALED(status);
    say("member %" PRIu32 " (pid %d) died: %s %d; start it again: %s\n", m->id, (int)m->pid,
        killed ? "signal" : "exit status", killed ? WTERMSIG(status) : WEXITSTATUS(status),
        m->command);
    if (!killed && WEXITSTATUS(status) != COORDD_EXIT_OK)
        show_last_line(m);
}

/* Collects all that ended. Returns the exit status of one that could not get its
 * port, else COORDD_EXIT_OK. */
static int reap(struct dev_cell *c, bool report)
{
    int result = COORDD_EXIT_OK, status;
    pid_t pid;
    while ((pid = waitpid(-1, &status, WNOHANG)) > 0) {
        for (uint32_t i = 0; i < c->members_count; i++) {
            struct dev_member *m = &c->members[i];
            if (m->pid != pid)
                continue;
            if (report)
                report_death(m, status);
            m->pid = 0;
            if (WIFEXITED(status) && (WEXITSTATUS(status) == COORDD_EXIT_PORT_TAKEN ||
                                      WEXITSTATUS(status) == COORDD_EXIT_LOCKED))
                result = WEXITSTATUS(status);
        }
    }
    return result;
}

static void signal_all(const struct dev_cell *c, int signal_number)
{
    for (uint32_t i = 0; i < c->members_count; i++) {
        if (c->members[i].pid != 0)
            (void)kill(c->members[i].pid, signal_number);
    }
}

/* ---- waiting ---- */

static sigset_t all_signals(void)
{
    sigset_t set;
    (void)sigemptyset(&set);
    (void)sigaddset(&set, SIGTERM);
    (void)sigaddset(&set, SIGINT);
    (void)sigaddset(&set, SIGHUP);
    (void)sigaddset(&set, SIGCHLD);
    return set;
}

/* One of all_signals, or 0 if none came in time; wait_ms < 0: as long as it takes. */
static int wait_signal(int wait_ms)
{
    sigset_t set = all_signals();
    struct timespec wait = {.tv_sec = wait_ms / 1000, .tv_nsec = wait_ms % 1000 * NS_PER_MS};
    int signal_number;
    do
        signal_number = wait_ms < 0 ? sigwaitinfo(&set, NULL) : sigtimedwait(&set, NULL, &wait);
    while (signal_number < 0 && errno == EINTR);
    return signal_number < 0 ? 0 : signal_number;
}

static void stop_all(struct dev_cell *c)
{
    int64_t end_ns = clock_now_ns() + ms_to_ns(STOP_MS_MAX);
    signal_all(c, SIGTERM);
    signal_all(c, SIGCONT); /* one that somebody stopped could not end */
    while (running_count(c) > 0 && clock_now_ns() < end_ns) {
        (void)wait_signal(PROBE_PAUSE_MS);
        (void)reap(c, false);
    }
    signal_all(c, SIGKILL);
    while (running_count(c) > 0) {
        (void)wait_signal(PROBE_PAUSE_MS);
        (void)reap(c, false);
    }
}

static bool anybody_serves(const struct dev_cell *c)
{
    for (uint32_t i = 0; i < c->members_count; i++) {
        if (c->members[i].pid != 0 && probe_serves(c->members[i].address, PROBE_MS))
            return true;
    }
    return false;
}

/* *ret_stop: a signal asked for the end. */
static int wait_ready(struct dev_cell *c, bool *ret_stop)
{
    int64_t end_ns = clock_now_ns() + ms_to_ns(READY_MS_MAX);
    while (!anybody_serves(c)) {
        int signal_number = wait_signal(PROBE_PAUSE_MS);
        int status = reap(c, true);
        *ret_stop = signal_number != 0 && signal_number != SIGCHLD;
        if (*ret_stop || status != COORDD_EXIT_OK)
            return status;
        if (running_count(c) <= c->members_count / 2) {
            (void)fprintf(stderr, "coordd dev: too few members are left\n");
            return COORDD_EXIT_OTHER;
        }
        if (clock_now_ns() > end_ns) {
            (void)fprintf(stderr, "coordd dev: the cell does not serve after %d s; see %s/*/log\n",
                          READY_MS_MAX / 1000, c->dir);
            return COORDD_EXIT_OTHER;
        }
    }
    return COORDD_EXIT_OK;
}

static void supervise(struct dev_cell *c)
{
    for (;;) {
        int signal_number = wait_signal(-1);
        (void)reap(c, true);
        if (signal_number != 0 && signal_number != SIGCHLD)
            return;
    }
}

int dev_run(const struct dev_config *config, const struct store_options *storage)
{
    static struct dev_cell c; /* large */
    bool stop = false;
    (void)setenv("GRPC_VERBOSITY", "NONE", 0);
    sigset_t signals = all_signals();
    (void)sigprocmask(SIG_BLOCK, &signals, NULL);
    int status = dev_cell_plan(&c, config);
    if (status == COORDD_EXIT_OK)
        status = dev_cell_initialise(&c, storage);
    /* All processes are started before gRPC is touched here: it must not be forked. */
    for (uint32_t i = 0; status == COORDD_EXIT_OK && i < c.members_count; i++)
        status = dev_cell_start(&c, &c.members[i]);
    if (status == COORDD_EXIT_OK) {
        say_plan(&c);
        status = wait_ready(&c, &stop);
    }
    if (status == COORDD_EXIT_OK && !stop) {
        say("ready\n");
        supervise(&c);
    }
    stop_all(&c);
    return status;
}
