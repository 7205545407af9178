/* guardian.c - see guardian.h. One thread, no library but libc: it may fork. */
#define _GNU_SOURCE
#include "tools/coordctl/guardian.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/signalfd.h>
#include <sys/timerfd.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "tools/coordctl/child.h"
#include "tools/coordctl/units.h"

enum { NS_PER_MS = 1000000, NS_PER_S = 1000000000, REST_POLL_MS = 10 };

struct guardian {
    int orders, report, signals, alarm;
    timer_t own_end;
    struct guard_order order;
    pid_t child;     /* also its group */
    bool lost;       /* asked to end, because time ran low */
    bool killing;    /* from now on only SIGKILL */
    bool ended;      /* the child; its group may live */
    int code;        /* once it ended */
    int64_t rest_ns; /* once it ended: when the rest is killed */
};

static int64_t now_ns(void)
{
    struct timespec now;
    clock_gettime(CLOCK_BOOTTIME, &now);
    return (int64_t)now.tv_sec * NS_PER_S + now.tv_nsec;
}

/* 0 would disarm. */
static struct itimerspec at(int64_t when_ns)
{
    int64_t ns = when_ns > 0 ? when_ns : 1;
    return (struct itimerspec){
        .it_value = {.tv_sec = (time_t)(ns / NS_PER_S), .tv_nsec = (long)(ns % NS_PER_S)}};
}

static void say(const struct guardian *g, guard_report what)
{
    if (write(g->report, &what, sizeof(what)) < 0)
        return; /* coordctl is gone, and nobody asks */
}

static void take_order(struct guardian *g, const struct guard_order *order)
{
    if (order->signal_number > 0)
        kill(-g->child, (int)order->signal_number);
    if (g->lost)
        return;
    g->order = *order;
    struct itimerspec end = at(order->end_ns);
    timer_settime(g->own_end, TIMER_ABSTIME, &end, NULL);
}

static void read_orders(struct guardian *g)
{
    struct guard_order order;
    for (;;) {
        ssize_t got = read(g->orders, &order, sizeof(order));
        if (got == (ssize_t)sizeof(order)) {
            take_order(g, &order);
        } else if (got >= 0 || (errno != EAGAIN && errno != EINTR)) {
            g->lost = g->killing = true; /* coordctl is gone */
            return;
        } else if (errno == EAGAIN) {
            return;
        }
    }
}

static void read_signals(struct guardian *g)
{
    struct signalfd_siginfo taken;
    while (read(g->signals, &taken, sizeof(taken)) == (ssize_t)sizeof(taken)) {
        if (taken.ssi_signo != SIGCHLD)
            kill(-g->child, (int)taken.ssi_signo);
    }
}

static void see_end(struct guardian *g, int64_t now)
{
    siginfo_t info = {.si_pid = 0};
    if (!g->ended && waitid(P_PID, (id_t)g->child, &info, WEXITED | WNOHANG | WNOWAIT) == 0 &&
        info.si_pid != 0) {
        int status = 0;
        /* Before it is reaped: its number cannot be anybody else's yet. */
        kill(-g->child, g->killing ? SIGKILL : SIGTERM);
        kill(-g->child, SIGCONT);
        waitpid(g->child, &status, 0);
        g->code = child_code(status);
        g->rest_ns = now + (int64_t)CHILD_REST_MS * NS_PER_MS;
        g->ended = true;
    }
    if (g->ended) { /* orphans come to us */
        while (waitpid(-1, NULL, WNOHANG) > 0)
            continue;
    }
}

/* Does what is due; false when nothing of the group is left. */
static bool go_on(struct guardian *g)
{
    int64_t now = now_ns();
    see_end(g, now);
    if (g->ended && kill(-g->child, 0) != 0 && errno == ESRCH)
        return false;
    if (!g->lost && now >= g->order.term_ns) {
        g->lost = true;
        kill(-g->child, SIGTERM);
        kill(-g->child, SIGCONT);
    }
    if (now >= g->order.kill_ns || (g->ended && now >= g->rest_ns))
        g->killing = true;
    if (g->killing)
        kill(-g->child, SIGKILL);
    return true;
}

static void wait_for_more(const struct guardian *g)
{
    if (!g->killing) {
        int64_t next_ns = g->lost ? g->order.kill_ns : g->order.term_ns;
        struct itimerspec next = at(next_ns);
        timerfd_settime(g->alarm, TFD_TIMER_ABSTIME, &next, NULL);
    }
    bool orders_over = g->lost && g->killing;
    struct pollfd sources[] = {
        {.fd = g->signals, .events = POLLIN},
        {.fd = g->killing ? -1 : g->alarm, .events = POLLIN},
        {.fd = orders_over ? -1 : g->orders, .events = POLLIN},
    };
    poll(sources, sizeof(sources) / sizeof(sources[0]), g->ended || g->killing ? REST_POLL_MS : -1);
}

/* Before anything of it runs, the end of it is certain. */
static bool arm(struct guardian *g)
{
    struct sigevent deadly = {.sigev_notify = SIGEV_SIGNAL, .sigev_signo = SIGKILL};
    sigset_t taken;
    sigemptyset(&taken);
    sigaddset(&taken, SIGCHLD);
    sigaddset(&taken, SIGTERM);
    sigaddset(&taken, SIGINT);
    sigaddset(&taken, SIGHUP);
    sigaddset(&taken, SIGQUIT);
    sigprocmask(SIG_SETMASK, &taken, NULL);
    const int ignored[] = {SIGPIPE, SIGTTOU, SIGTTIN, SIGTSTP};
    for (size_t i = 0; i < sizeof(ignored) / sizeof(ignored[0]); i++)
        signal(ignored[i], SIG_IGN);

    g->signals = signalfd(-1, &taken, SFD_CLOEXEC | SFD_NONBLOCK);
    g->alarm = timerfd_create(CLOCK_BOOTTIME, TFD_CLOEXEC | TFD_NONBLOCK);
    if (g->signals < 0 || g->alarm < 0 || prctl(PR_SET_CHILD_SUBREAPER, 1) != 0 ||
        timer_create(CLOCK_BOOTTIME, &deadly, &g->own_end) != 0 ||
        read(g->orders, &g->order, sizeof(g->order)) != (ssize_t)sizeof(g->order))
        return false;
    struct itimerspec end = at(g->order.end_ns);
    return timer_settime(g->own_end, TIMER_ABSTIME, &end, NULL) == 0 &&
           fcntl(g->orders, F_SETFD, FD_CLOEXEC) == 0 &&
           fcntl(g->report, F_SETFD, FD_CLOEXEC) == 0 && fcntl(g->orders, F_SETFL, O_NONBLOCK) == 0;
}

bool guardian_is_meant(int argc, char **argv)
{
    return argc > GUARDIAN_ARGUMENTS && strcmp(argv[1], GUARDIAN_ARGUMENT) == 0;
}

_Noreturn void guardian_run(char **argv)
{
    uint64_t orders, report;
    if (!units_parse_u64(argv[2], &orders) || !units_parse_u64(argv[3], &report))
        _exit(CODE_NOT_EXECUTABLE);
    struct guardian g = {.orders = (int)orders, .report = (int)report};
    bool has_terminal = strchr(argv[4], GUARDIAN_TERMINAL) != NULL;
    bool is_contained = strchr(argv[4], GUARDIAN_CONTAIN) != NULL;
    if (!arm(&g)) {
        perror("coordctl: the command's guardian");
        _exit(CODE_NOT_EXECUTABLE);
    }
    if (is_contained && child_contain() != 0) {
        say(&g, GUARD_REPORT_NO_NAMESPACE);
        is_contained = false;
    }
    g.child = child_start(argv + GUARDIAN_ARGUMENTS, is_contained, has_terminal);
    if (g.child < 0) {
        fprintf(stderr, "coordctl: %s: %s\n", argv[GUARDIAN_ARGUMENTS], strerror(-g.child));
        _exit(CODE_NOT_EXECUTABLE);
    }
    say(&g, g.child);
    while (go_on(&g)) {
        wait_for_more(&g);
        if (!(g.lost && g.killing))
            read_orders(&g);
        read_signals(&g);
    }
    if (g.lost)
        say(&g, GUARD_REPORT_LOST);
    _exit(g.code);
}
