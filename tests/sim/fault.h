/* fault.h - what goes wrong, and when. Each kind has a timer of its own; a kind
 * whose interval is 0 never happens. */
#ifndef TESTS_SIM_FAULT_H
#define TESTS_SIM_FAULT_H

struct sim;

void fault_begin(struct sim *s);
/* Nothing goes wrong any more, and what did is mended: all processes run, but as
 * many as swarm.dead_at_end say stay dead; disks have space, the network is
 * calm. Clocks keep their rates. */
void fault_heal(struct sim *s);

#endif
