/* agreement.c - see agreement.h. */
#include "tools/coordctl/agreement.h"

#include <string.h>

static bool has_hash(const coord_member *m)
{
    return m->state_hash[0] != '\0';
}

static uint64_t bit_of(uint32_t id)
{
    return UINT64_C(1) << (id % 64);
}

static struct agreement_seen seen_of(const coord_member *m)
{
    struct agreement_seen s = {.applied = m->applied, .id = m->id};
    memcpy(s.hash, m->state_hash, sizeof(s.hash));
    return s;
}

static void keep(struct agreement *a, const struct agreement_seen *seen)
{
    a->seen[a->next] = *seen;
    a->next = (a->next + 1) % AGREEMENT_SEEN_MAX;
    a->count += a->count < AGREEMENT_SEEN_MAX;
}

/* With all that was said of the same place, also by itself: that must not change. */
static void compare(struct agreement *a, const coord_member *m)
{
    const struct agreement_seen mine = seen_of(m);
    bool known = false;
    for (size_t i = 0; i < a->count && !a->differs; i++) {
        const struct agreement_seen *other = &a->seen[i];
        if (other->applied != mine.applied)
            continue;
        known = known || other->id == mine.id;
        if (other->id != mine.id)
            a->compared |= bit_of(mine.id) | bit_of(other->id);
        if (strcmp(other->hash, mine.hash) != 0) {
            a->differs = true;
            a->one = *other;
            a->other = mine;
        }
    }
    if (!known && !a->differs)
        keep(a, &mine);
}

size_t agreement_add(struct agreement *a, const coord_status *status)
{
    size_t left = 0;
    for (size_t i = 0; i < status->members_count && !a->differs; i++)
        if (has_hash(&status->members[i]))
            compare(a, &status->members[i]);
    for (size_t i = 0; i < status->members_count; i++)
        left += has_hash(&status->members[i]) && !agreement_compared(a, status->members[i].id);
    return left;
}

bool agreement_compared(const struct agreement *a, uint32_t id)
{
    return (a->compared & bit_of(id)) != 0;
}
