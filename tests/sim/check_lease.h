/* check_lease.h - at most one replica believes that it leads and nobody else can.
 *
 * Compared in true time, each belief by its owner's own clock. While one believes, too
 * few are free to promise another ballot for anybody to be elected. */
#ifndef TESTS_SIM_CHECK_LEASE_H
#define TESTS_SIM_CHECK_LEASE_H

struct sim;
struct server;

void check_lease(struct sim *s, const struct server *n);

#endif
