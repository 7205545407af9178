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
    for (size_t i = 0; i < a->count; i++) {
        const struct agreement_seen *other = &a->seen[i];
        if (other->applied != mine.applied)
            continue;
        known = known || (other->id == mine.id && strcmp(other->hash, mine.hash) == 0);
        if (other->id != mine.id)
            a->compared |= bit_of(mine.id) | bit_of(other->id);
        if (strcmp(other->hash, mine.hash) != 0 && !a->differs) {
            a->differs = true;
            a->one = *other;
            a->other = mine;
        }
    }
    if (!known)
        keep(a, &mine);
}

bool agreement_quarantined(const coord_member *m)
{
    return m->role != NULL && strcmp(m->role, "quarantined") == 0;
}

size_t agreement_add(struct agreement *a, const coord_status *status)
{
    size_t left = 0;
    for (size_t i = 0; i < status->members_count; i++)
        if (has_hash(&status->members[i]))
            compare(a, &status->members[i]);
    for (size_t i = 0; i < status->members_count; i++) {
        const coord_member *m = &status->members[i];
        left += has_hash(m) && !agreement_quarantined(m) && !agreement_compared(a, m->id);
    }
    return left;
}

/* Of those who said something of that place, how many said this. */
static size_t count_of(const struct agreement *a, uint64_t applied, const char *hash)
{
    size_t count = 0;
    for (size_t i = 0; i < a->count; i++)
        count += a->seen[i].applied == applied && strcmp(a->seen[i].hash, hash) == 0;
    return count;
}

bool agreement_is_odd(const struct agreement *a, uint32_t id, size_t members_count)
{
    bool odd = false, majority = false;
    for (size_t i = 0; i < a->count && a->differs; i++) {
        const struct agreement_seen *seen = &a->seen[i];
        if (seen->applied != a->one.applied)
            continue;
        if (2 * count_of(a, seen->applied, seen->hash) > members_count)
            majority = true;
        else if (seen->id == id)
            odd = true;
    }
    return odd && majority;
}

bool agreement_compared(const struct agreement *a, uint32_t id)
{
    return (a->compared & bit_of(id)) != 0;
}
