/* server_pause.c - a server that stands still, and what it does with all that came meanwhile
 * when it goes on. */
#include <inttypes.h>
#include <stdlib.h>

#include "libcoord/base/check.h"
#include "tests/sim/server_step.h"
#include "tests/sim/sim.h"

static void input_release(struct server_input *input)
{
    for (uint32_t i = 0; i < input->entries_count; i++)
        blob_unref(input->entries[i].value);
    free(input->entries);
    blob_unref(input->bytes);
    blob_unref(input->about);
}

void server_inbox_drop(struct server *n)
{
    for (uint32_t i = 0; i < n->inbox_count; i++) {
        input_release(&n->inbox[i]);
    }
    n->inbox_count = 0;
}

static void inbox_add(struct server *n, const struct server_input *input)
{
    if (n->inbox_count == n->inbox_capacity) {
        n->inbox_capacity = n->inbox_capacity == 0 ? 64 : 2 * n->inbox_capacity;
        n->inbox = check_realloc(n->inbox, n->inbox_capacity * sizeof(n->inbox[0]));
    }
    struct server_input *kept = &n->inbox[n->inbox_count++];
    *kept = *input;
    if (kept->bytes != NULL)
        blob_ref(kept->bytes);
    if (kept->about != NULL)
        blob_ref(kept->about);
    if (kept->entries_count > 0) {
        kept->entries = check_calloc(input->entries_count, sizeof(kept->entries[0]));
        for (uint32_t i = 0; i < input->entries_count; i++) {
            kept->entries[i] = input->entries[i];
            blob_ref(kept->entries[i].value);
        }
    } else {
        kept->entries = NULL;
    }
}

/* a: life, b: number of the pause */
static void on_resume(void *object, const struct queue_item *item)
{
    struct server *n = object;
    if (n->life == item->a && n->pause_number == item->b)
        server_resume(n);
}

void server_pause(struct server *n, int64_t for_ns)
{
    if (n->replica == NULL || n->paused)
        return;
    n->paused = true;
    n->pause_number++;
    sim_after(n->sim, for_ns, on_resume, n, n->life, n->pause_number, 0, NULL);
    journal_trace(&n->sim->journal, "%" PRIu32 " is paused", n->id);
    link_review(n->sim, n->index);
    channel_server_silent(n->sim, n->index);
}

void server_resume(struct server *n)
{
    if (n->replica == NULL || !n->paused)
        return;
    journal_trace(&n->sim->journal, "%" PRIu32 " goes on, %" PRIu32 " events late", n->id,
                  n->inbox_count);
    n->paused = false;
    n->is_late = n->effects_left;
    if (n->effects_left)
        server_finish_step(n, n->effects.count);
    n->is_late = false;
    struct server_input *late = n->inbox;
    uint32_t count = n->inbox_count;
    n->inbox = NULL;
    n->inbox_count = n->inbox_capacity = 0;
    uint32_t life = n->life;
    /* Its timer is late too, before or behind the rest. */
    bool timer_first = prng_chance(&n->sim->fault_random, 1, 2);
    if (timer_first)
        server_step(n, &(struct server_input){.kind = REPLICA_EVENT_TIME});
    for (uint32_t i = 0; i < count; i++) {
        if (n->replica != NULL && n->life == life)
            server_take(n, &late[i]);
        input_release(&late[i]);
    }
    free(late);
    if (n->replica != NULL && n->life == life && !timer_first)
        server_step(n, &(struct server_input){.kind = REPLICA_EVENT_TIME});
    link_review(n->sim, n->index);
}

void server_take(struct server *n, const struct server_input *input)
{
    if (n->replica == NULL)
        return;
    if (n->paused)
        inbox_add(n, input);
    else
        server_step(n, input);
}
