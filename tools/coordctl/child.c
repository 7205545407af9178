/* child.c - see child.h. */
#define _GNU_SOURCE
#include "tools/coordctl/child.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <poll.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

enum { REST_POLL_MS = 10, MAP_BYTES = 64 };

static int write_file(const char *path, const char *text)
{
    int fd = open(path, O_WRONLY | O_CLOEXEC);
    if (fd < 0)
        return errno;
    int error = write(fd, text, strlen(text)) < 0 ? errno : 0;
    close(fd);
    return error;
}

int child_contain(void)
{
    if (unshare(CLONE_NEWPID) == 0)
        return 0;
    char users[MAP_BYTES], groups[MAP_BYTES];
    snprintf(users, sizeof(users), "%u %u 1", geteuid(), geteuid());
    snprintf(groups, sizeof(groups), "%u %u 1", getegid(), getegid());
    if (unshare(CLONE_NEWUSER | CLONE_NEWPID) != 0)
        return errno;
    int error = write_file("/proc/self/setgroups", "deny");
    error = error != 0 ? error : write_file("/proc/self/uid_map", users);
    return error != 0 ? error : write_file("/proc/self/gid_map", groups);
}

int child_code(int status)
{
    return WIFSIGNALED(status) ? CODE_SIGNAL + WTERMSIG(status) : WEXITSTATUS(status);
}

/* On a terminal, who is stopped by Ctrl-Z would stay so: the shell that could go on
 * with it does not know its group. */
_Noreturn static void become(char **argv, bool has_terminal)
{
    struct sigaction by_default = {.sa_handler = SIG_DFL};
    for (int number = 1; number <= SIGRTMAX; number++)
        (void)sigaction(number, &by_default, NULL); /* some cannot be set, and need not */
    if (has_terminal)
        signal(SIGTSTP, SIG_IGN);
    sigset_t none;
    sigemptyset(&none);
    sigprocmask(SIG_SETMASK, &none, NULL);
    execvp(argv[0], argv);
    int error = errno;
    fprintf(stderr, "coordctl: %s: %s\n", argv[0], strerror(error));
    _exit(error == ENOENT ? CODE_NOT_FOUND : CODE_NOT_EXECUTABLE);
}

/* All others in our namespace are asked to end; the kernel kills those that are
 * left when we exit. */
static void end_the_rest(void)
{
    const struct timespec pause = {.tv_nsec = REST_POLL_MS * 1000000L};
    if (kill(-1, SIGTERM) != 0)
        return;
    for (int waited_ms = 0; waited_ms < CHILD_REST_MS; waited_ms += REST_POLL_MS) {
        while (waitpid(-1, NULL, WNOHANG) > 0)
            continue;
        if (kill(-1, 0) != 0)
            return;
        nanosleep(&pause, NULL);
    }
}

/* The first process of a PID namespace: signals from inside that it does not
 * handle pass it by, so it may share the command's group. */
_Noreturn static void be_init(char **argv, bool has_terminal)
{
    pid_t command = fork();
    if (command == 0)
        become(argv, has_terminal);
    close_range(STDERR_FILENO + 1, UINT_MAX, 0);
    int status = 0;
    pid_t ended = command < 0 ? -1 : 0;
    while (ended != command && (ended >= 0 || errno == EINTR))
        ended = waitpid(-1, &status, 0);
    end_the_rest();
    _exit(command > 0 && ended == command ? child_code(status) : CODE_NOT_EXECUTABLE);
}

pid_t child_start(char **argv, bool is_contained, bool has_terminal)
{
    int life[2]; /* we have the writing end for as long as we live */
    if (pipe2(life, O_CLOEXEC) != 0)
        return -errno;
    pid_t pid = fork();
    if (pid != 0) {
        int error = errno;
        close(life[0]);
        if (pid > 0)
            setpgid(pid, pid);
        return pid > 0 ? pid : -error;
    }
    close(life[1]);
    struct pollfd parent = {.fd = life[0], .events = POLLIN};
    /* Who died before the first call is seen by the second; a parent's pid would
     * not do, it is 0 from inside a namespace. */
    if (prctl(PR_SET_PDEATHSIG, SIGKILL) != 0 || poll(&parent, 1, 0) != 0)
        _exit(CODE_NOT_EXECUTABLE);
    setpgid(0, 0);
    if (has_terminal) /* SIGTTOU is ignored here */
        tcsetpgrp(STDIN_FILENO, getpgrp());
    if (is_contained)
        be_init(argv, has_terminal);
    become(argv, has_terminal);
}
