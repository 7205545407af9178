/* check_stall.h - a leader whose log stands still does not go on to lead: its reads
 * would be right, but nobody could write, and nobody else would be elected. */
#ifndef TESTS_SIM_CHECK_STALL_H
#define TESTS_SIM_CHECK_STALL_H

struct sim;
struct server;

void check_stall(struct sim *s, const struct server *n);

#endif
