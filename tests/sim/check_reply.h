/* check_reply.h - compares what a server says to a client, on its way out, with
 * what is chosen: no write is answered before it is, nor otherwise than the log
 * says, nor is a session kept alive that was expired. */
#ifndef TESTS_SIM_CHECK_REPLY_H
#define TESTS_SIM_CHECK_REPLY_H

#include <stdint.h>

#include "libcoord/base/bytes.h"

struct sim;
struct server;

void check_reply(struct sim *s, const struct server *n, uint64_t channel, struct slice bytes);

#endif
