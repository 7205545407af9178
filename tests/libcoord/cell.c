/* cell.c - see cell.h. */
#define _GNU_SOURCE
#include "tests/libcoord/cell.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "tests/support/ports.h"

enum {
    READY_MS = 30000,
    OUTPUT_BYTES = 16384,
    STARTS_MAX = 5, /* somebody else may take the ports that were free a moment ago */
    EXEC_FAILED = 127,
};

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

/* Between fork and exec only what a child of many threads may do; gRPC has no handlers
 * for fork unless it is told to. */
pid_t child_spawn(const char *const *arguments, int out)
{
    pid_t parent = getpid(), pid = fork();
    if (pid != 0)
        return pid;
    (void)prctl(PR_SET_PDEATHSIG, SIGKILL);
    int nowhere = open("/dev/null", O_WRONLY | O_CLOEXEC);
    if (getppid() == parent && nowhere >= 0 && dup2(out >= 0 ? out : nowhere, STDOUT_FILENO) >= 0 &&
        dup2(STDOUT_FILENO, STDERR_FILENO) >= 0)
        (void)execv(arguments[0], (char *const *)(uintptr_t)arguments);
    _exit(EXEC_FAILED);
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

static bool wait_ready(struct cell *c, char text[OUTPUT_BYTES])
{
    size_t length = 0;
    int64_t until = now_ms() + READY_MS;
    while (now_ms() < until && length + 1 < OUTPUT_BYTES) {
        struct pollfd p = {.fd = c->out, .events = POLLIN};
        if (poll(&p, 1, 100) <= 0)
            continue;
        ssize_t got = read(c->out, text + length, OUTPUT_BYTES - 1 - length);
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
    return false;
}

void child_remove_directory(const char *directory)
{
    const char *const arguments[] = {"/bin/rm", "-rf", "--", directory, NULL};
    pid_t pid = child_spawn(arguments, -1);
    if (pid > 0)
        (void)waitpid(pid, NULL, 0);
}

static bool start(struct cell *c, char said[OUTPUT_BYTES])
{
    memset(c, 0, sizeof *c);
    said[0] = '\0';
    c->port = ports_free(CELL_MEMBERS);
    (void)snprintf(c->directory, sizeof c->directory, "/tmp/coord-test-XXXXXX");
    if (c->port == 0 || mkdtemp(c->directory) == NULL)
        return false;
    for (int i = 0; i < CELL_MEMBERS; i++) {
        size_t length = strlen(c->endpoints);
        (void)snprintf(c->endpoints + length, sizeof c->endpoints - length, "%s127.0.0.1:%d",
                       i > 0 ? "," : "", c->port + i);
    }
    int pipe_fds[2];
    if (pipe2(pipe_fds, O_CLOEXEC) != 0)
        return false;
    char port_text[16];
    (void)snprintf(port_text, sizeof port_text, "%d", c->port);
    const char *const arguments[] = {COORDD,   "dev",     "--dir", c->directory,
                                     "--port", port_text, NULL};
    c->dev = child_spawn(arguments, pipe_fds[1]);
    (void)close(pipe_fds[1]);
    c->out = pipe_fds[0];
    return c->dev > 0 && wait_ready(c, said);
}

bool cell_start(struct cell *c)
{
    static char said[OUTPUT_BYTES];
    for (int i = 0; i < STARTS_MAX; i++) {
        if (start(c, said))
            return true;
        cell_stop(c);
        if (strstr(said, "taken") == NULL)
            break;
    }
    fprintf(stderr, "the cell did not get ready; it said:\n%s\n", said);
    return false;
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
    c->again[member - 1] = child_spawn(arguments, -1);
    return c->again[member - 1] > 0;
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
    child_remove_directory(c->directory);
}
