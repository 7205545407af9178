/* client.h - a client: the library's real session logic, and what the client
 * believes. When a session is over the same client opens another one. */
#ifndef TESTS_SIM_CLIENT_H
#define TESTS_SIM_CLIENT_H

#include <stdbool.h>

#include "libcoord/src/session.h"
#include "tests/sim/player.h"
#include "tests/sim/watcher.h"

struct sim;
struct host;
struct host_input;

struct client {
    struct sim *sim;   /* borrowed */
    struct host *host; /* borrowed: the machine it runs on */
    uint32_t index, life;
    struct client_session *session; /* owned; NULL between two */
    struct client_effects effects;
    uint64_t id;      /* the session's, as last known; 0: not open yet */
    uint64_t channel; /* the session stream; 0: none */
    uint64_t link;    /* the number that its CONNECT had */
    uint32_t server;  /* where it goes */
    uint64_t wake_number;
    enum client_session_state state;
    bool was_safe;
    uint64_t resync; /* the last that its server sent while it knew that too much waits */
    struct player player;
    struct watcher watcher;
};

void client_init(struct sim *s, uint32_t index);
void client_release(struct client *c);
/* A new session. */
void client_open(struct client *c);
/* The process ends without a word. */
void client_crash(struct client *c);
/* now_ns and link are filled in here. */
void client_step(struct client *c, const struct client_event *event);
void client_channel_input(struct client *c, const struct host_input *input);
/* By its own clock, certainly, now. */
bool client_is_safe(const struct client *c);

#endif
