/* check_read.h - is what an answer shows what was there?
 *
 * An answer stands at its revision: not below anything shown to anybody before
 * the call was made, not above what is chosen, and true at that point by the
 * model. Together this is linearizability, for revisions order all changes. */
#ifndef TESTS_SIM_CHECK_READ_H
#define TESTS_SIM_CHECK_READ_H

#include <stdint.h>

#include "coord/v1/command.pb-c.h"
#include "libcoord/base/err.h"

struct sim;
struct call;

/* Also notes that this revision has been shown. */
void check_answer(struct sim *s, uint32_t client, const struct call *call, enum err status,
                  const Coord__V1__Answer *a);
/* At the end: contents whose writers were told that they did not happen. */
void check_never_written(struct sim *s);

#endif
