/* leaders.c - see leaders.h. */
#include "tests/libcoord/leaders.h"

#include <stdio.h>
#include <string.h>

#include "tests/libcoord/cell.h"

uint64_t leader_generation(const char *sequencer)
{
    coord_sequencer parsed;
    return coord_sequencer_parse(sequencer, &parsed) == COORD_OK ? parsed.generation : 0;
}

void rules_init(struct rules *r)
{
    memset(r, 0, sizeof *r);
    pthread_mutex_init(&r->mutex, NULL);
    atomic_init(&r->held_up, false);
}

void rules_add(struct rules *r, struct rule rule)
{
    pthread_mutex_lock(&r->mutex);
    if (r->count < RULES_MAX)
        r->list[r->count++] = rule;
    pthread_mutex_unlock(&r->mutex);
}

void rules_on_leader(void *context, const coord_leadership *l)
{
    struct rules *r = context;
    struct rule rule = {.superseded = l->superseded, .missed = l->missed};
    if (l->sequencer != NULL) {
        rule.generation = leader_generation(l->sequencer);
        (void)snprintf(rule.value, sizeof rule.value, "%s", (const char *)l->value);
    }
    rules_add(r, rule);
    while (atomic_load(&r->held_up))
        sleep_ms(5);
}

int rules_leaders(struct rules *r, struct rule *out)
{
    int count = 0;
    pthread_mutex_lock(&r->mutex);
    for (int i = 0; i < r->count; i++) {
        if (r->list[i].generation == 0)
            continue;
        bool again = count > 0 && out[count - 1].superseded &&
                     out[count - 1].generation == r->list[i].generation;
        out[count - again] = r->list[i];
        count += !again;
    }
    pthread_mutex_unlock(&r->mutex);
    return count;
}
