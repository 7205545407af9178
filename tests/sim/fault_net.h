/* fault_net.h - what goes wrong in the network; between fault.c and fault_net.c. */
#ifndef TESTS_SIM_FAULT_NET_H
#define TESTS_SIM_FAULT_NET_H

#include <stdbool.h>
#include <stdint.h>

struct sim;
struct server;

/* Places do not reach others for a while, both ways or one; clients do not reach servers; a
 * link goes and comes. */
void fault_cut(struct sim *s);
void fault_cut_clients(struct sim *s);
void fault_flap(struct sim *s);
/* The other servers and it do not reach each other, for good. */
void fault_isolate(struct sim *s, const struct server *n);

/* fault.c: chance, and whom it hits. */
bool fault_chance(struct sim *s, uint32_t ppm);
struct server *fault_victim(struct sim *s);

#endif
