/* signals.c - see signals.h. */
#define _GNU_SOURCE
#include "tools/coordctl/signals.h"

#include <pthread.h>
#include <time.h>

/* Written once, before there is a second thread. */
static pthread_t main_thread;
static sigset_t held;
static bool holding;

void signals_hold(void)
{
    sigemptyset(&held);
    sigaddset(&held, SIGINT);
    sigaddset(&held, SIGTERM);
    sigaddset(&held, SIGHUP);
    sigaddset(&held, SIGCHLD);
    sigaddset(&held, SIGUSR1); /* our own, to wake */
    pthread_sigmask(SIG_BLOCK, &held, NULL);
    main_thread = pthread_self();
    holding = true;
}

int signals_wait(int64_t timeout_ms)
{
    struct timespec timeout = {.tv_sec = (time_t)(timeout_ms / 1000),
                               .tv_nsec = (long)(timeout_ms % 1000) * 1000000};
    int taken = timeout_ms < 0 ? sigwaitinfo(&held, NULL) : sigtimedwait(&held, NULL, &timeout);
    return taken < 0 || taken == SIGUSR1 ? 0 : taken;
}

void signals_wake(void)
{
    if (holding)
        pthread_kill(main_thread, SIGUSR1);
}

int64_t signals_now_ms(void)
{
    struct timespec now;
    clock_gettime(CLOCK_BOOTTIME, &now);
    return (int64_t)now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

bool signals_is_end(int signal_number)
{
    return signal_number == SIGINT || signal_number == SIGTERM || signal_number == SIGHUP;
}
