/* check_end.h - after healing: is everything well again, and is all there? */
#ifndef TESTS_SIM_CHECK_END_H
#define TESTS_SIM_CHECK_END_H

#include <stdbool.h>
#include <stddef.h>

struct sim;

/* Every client has made one more write and waits for nothing; no other sessions
 * are left; every live replica has applied all that is chosen. If not, says what
 * is missing. */
bool check_end_reached(const struct sim *s, char *why, size_t why_bytes);
/* The state is what the model says, watches know it, nothing acknowledged is
 * missing and nothing denied is there. */
void check_end(struct sim *s);

#endif
