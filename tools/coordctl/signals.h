/* signals.h - signals as something to wait for, in the main thread.
 *
 * signals_hold() comes before any other thread is made, so that all of them
 * inherit the mask and nothing is ever interrupted. */
#ifndef COORDCTL_SIGNALS_H
#define COORDCTL_SIGNALS_H

#include <signal.h>
#include <stdbool.h>
#include <stdint.h>

/* From now on INT, TERM, HUP and CHLD wait until signals_wait takes them. */
void signals_hold(void);

/* The next of them, or 0: woken, or timeout_ms (-1: for ever) went by. */
int signals_wait(int64_t timeout_ms);

/* End the wait of the main thread, or its next one. From any thread; does nothing
 * unless signals_hold was called. */
void signals_wake(void);

/* Milliseconds of CLOCK_BOOTTIME. */
int64_t signals_now_ms(void);

/* True of what asks us to end. */
bool signals_is_end(int signal_number);

#endif
