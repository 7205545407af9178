/* guardian.h - the process between coordctl and the command: it ends the command
 * in time, whatever becomes of coordctl.
 *
 *   coordctl --guard ORDERS REPORT FLAGS CMD ARG...
 *
 * ORDERS and REPORT are file descriptors, FLAGS is made of the letters below.
 * Orders come by a pipe and say until when it is safe to go on; the first is in
 * the pipe before the guardian is. Three things end the command, each without help
 * from the one before:
 *   term_ns, kill_ns  the guardian asks it to end, and kills its group; it does
 *                     the latter at once when the pipe comes to its end
 *   end_ns            a timer of the kernel kills the guardian
 *   its death         makes the kernel kill the command
 * What ran low once is lost: later orders do not prolong it. */
#ifndef COORDCTL_GUARDIAN_H
#define COORDCTL_GUARDIAN_H

#include <stdbool.h>
#include <stdint.h>

#define GUARDIAN_ARGUMENT "--guard"
#define GUARDIAN_TERMINAL 't' /* give the foreground to the command */
#define GUARDIAN_CONTAIN  'c' /* in a PID namespace */
enum { GUARDIAN_ARGUMENTS = 5 };

/* Much smaller than PIPE_BUF, so written and read as a whole. Times are of
 * CLOCK_BOOTTIME, term_ns <= kill_ns <= end_ns. */
struct guard_order {
    int64_t term_ns, kill_ns, end_ns;
    int64_t signal_number; /* to be passed on; 0: none */
};

/* What the guardian says, in this order and each at most once. A group is named
 * by its pid, everything else is negative. */
typedef int32_t guard_report;
enum { GUARD_REPORT_LOST = -1, GUARD_REPORT_NO_NAMESPACE = -2 };

/* True if these are the arguments of a guardian. */
bool guardian_is_meant(int argc, char **argv);
/* Exits with what a shell would make of the command's end. */
_Noreturn void guardian_run(char **argv);

#endif
