/* probe.h - one question to one server, for a program that only waits until a
 * cell serves. Blocks; has nothing to do with struct rpc. */
#ifndef COORD_RPC_PROBE_H
#define COORD_RPC_PROBE_H

#include <stdbool.h>
#include <stdint.h>

/* Does the server at `address` (host:port) answer a linearizable read within
 * the time? Only a leader that serves does. */
bool probe_serves(const char *address, uint32_t timeout_ms);

#endif
