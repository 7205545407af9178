/* ports.h - ports for the servers of a test: other tests run at the same time. */
#ifndef COORD_TESTS_SUPPORT_PORTS_H
#define COORD_TESTS_SUPPORT_PORTS_H

/* The first of `count` ports in a row that are free on loopback, of a place in their range
 * that differs from call to call; 0: there are none. Whoever binds them may still be late. */
int ports_free(int count);

#endif
