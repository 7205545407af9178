/* cell.c - see cell.h. */
#define _GNU_SOURCE
#include "tests/libcoord/cell.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <spawn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

enum { READY_MS = 30000, OUTPUT_BYTES = 16384 };

extern char **environ;

int64_t now_ms(void)
{
    struct timespec t;
    (void)clock_gettime(CLOCK_MONOTONIC, &t);
    return (int64_t)t.tv_sec * 1000 + t.tv_nsec / 1000000;
}

void sleep_ms(int ms)
{
    struct timespec t = {.tv_sec = ms / 1000, .tv_nsec = (long)(ms % 1000) * 1000000};
    while (nanosleep(&t, &t) != 0 && errno == EINTR)
        continue;
}

bool eventually(bool (*condition)(void *context), void *context, int ms)
{
    int64_t until = now_ms() + ms;
    while (!condition(context)) {
        if (now_ms() > until)
            return false;
        sleep_ms(5);
    }
    return true;
}

/* Output goes to the pipe `out`, or nowhere. */
static pid_t spawn(const char *const *arguments, int out)
{
    posix_spawn_file_actions_t actions;
    posix_spawn_file_actions_init(&actions);
    if (out >= 0)
        posix_spawn_file_actions_adddup2(&actions, out, STDOUT_FILENO);
    else
        posix_spawn_file_actions_addopen(&actions, STDOUT_FILENO, "/dev/null", O_WRONLY, 0);
    posix_spawn_file_actions_addopen(&actions, STDERR_FILENO, "/dev/null", O_WRONLY, 0);
    pid_t pid = -1;
    int result = posix_spawn(&pid, arguments[0], &actions, NULL,
                             (char *const *)(uintptr_t)arguments, environ);
    posix_spawn_file_actions_destroy(&actions);
    return result == 0 ? pid : -1;
}

static void read_members(struct cell *c, const char *text)
{
    for (const char *at = strstr(text, "member "); at != NULL; at = strstr(at + 1, "member ")) {
        int id = 0, pid = 0;
        if (sscanf(at, "member %d at %*[^,], pid %d", &id, &pid) == 2 && id >= 1 &&
            id <= CELL_MEMBERS)
            c->members[id - 1] = pid;
    }
}

static bool wait_ready(struct cell *c)
{
    char text[OUTPUT_BYTES];
    size_t length = 0;
    int64_t until = now_ms() + READY_MS;
    while (now_ms() < until && length + 1 < sizeof text) {
        struct pollfd p = {.fd = c->out, .events = POLLIN};
        if (poll(&p, 1, 100) <= 0)
            continue;
        ssize_t got = read(c->out, text + length, sizeof text - 1 - length);
        if (got <= 0)
            break;
        length += (size_t)got;
        text[length] = '\0';
        if (strstr(text, "\nready") != NULL) {
            read_members(c, text);
            return true;
        }
    }
    text[length] = '\0';
    fprintf(stderr, "the cell did not get ready; it said:\n%s\n", text);
    return false;
}

bool cell_start(struct cell *c, int port)
{
    memset(c, 0, sizeof *c);
    c->port = port;
    (void)snprintf(c->directory, sizeof c->directory, "/tmp/coord-test-XXXXXX");
    if (mkdtemp(c->directory) == NULL)
        return false;
    for (int i = 0; i < CELL_MEMBERS; i++) {
        size_t length = strlen(c->endpoints);
        (void)snprintf(c->endpoints + length, sizeof c->endpoints - length, "%s127.0.0.1:%d",
                       i > 0 ? "," : "", port + i);
    }
    int pipe_fds[2];
    if (pipe2(pipe_fds, O_CLOEXEC) != 0)
        return false;
    char port_text[16];
    (void)snprintf(port_text, sizeof port_text, "%d", port);
    const char *const arguments[] = {COORDD,   "dev",     "--dir", c->directory,
                                     "--port", port_text, NULL};
    c->dev = spawn(arguments, pipe_fds[1]);
    (void)close(pipe_fds[1]);
    c->out = pipe_fds[0];
    return c->dev > 0 && wait_ready(c);
}

static pid_t *member_pid(struct cell *c, uint32_t member)
{
    pid_t *again = &c->again[member - 1];
    return *again != 0 ? again : &c->members[member - 1];
}

void cell_signal(struct cell *c, uint32_t member, int signal)
{
    pid_t pid = *member_pid(c, member);
    if (pid > 0)
        (void)kill(pid, signal);
}

void cell_kill(struct cell *c, uint32_t member)
{
    cell_signal(c, member, SIGKILL);
    if (c->again[member - 1] > 0)
        (void)waitpid(c->again[member - 1], NULL, 0);
    c->again[member - 1] = -1;
}

bool cell_restart(struct cell *c, uint32_t member)
{
    char directory[80];
    (void)snprintf(directory, sizeof directory, "%s/%u", c->directory, member);
    const char *const arguments[] = {COORDD, "serve", "--dir", directory, NULL};
    c->again[member - 1] = spawn(arguments, -1);
    return c->again[member - 1] > 0;
}

static void remove_directory(const char *directory)
{
    const char *const arguments[] = {"/bin/rm", "-rf", "--", directory, NULL};
    pid_t pid = spawn(arguments, -1);
    if (pid > 0)
        (void)waitpid(pid, NULL, 0);
}

void cell_stop(struct cell *c)
{
    for (int i = 0; i < CELL_MEMBERS; i++) {
        if (c->again[i] > 0) {
            (void)kill(c->again[i], SIGKILL);
            (void)waitpid(c->again[i], NULL, 0);
        } else if (c->members[i] > 0 && c->again[i] == 0) {
            (void)kill(c->members[i], SIGCONT); /* or it could not end */
        }
    }
    if (c->dev > 0) {
        (void)kill(c->dev, SIGTERM);
        (void)waitpid(c->dev, NULL, 0);
    }
    (void)close(c->out);
    remove_directory(c->directory);
}
