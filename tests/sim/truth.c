/* truth.c - see truth.h. */
#include "tests/sim/truth.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "libcoord/base/check.h"
#include "libcoord/base/hash.h"

void truth_init(struct truth *t, struct journal *journal, uint32_t members, uint32_t quorum)
{
    memset(t, 0, sizeof(*t));
    t->journal = journal;
    t->members = members;
    t->quorum = quorum;
}

void truth_release(struct truth *t)
{
    for (uint64_t i = 0; i < t->slots_count; i++) {
        free(t->slots[i].claims);
        blob_unref(t->slots[i].entry.value);
    }
    free(t->slots);
    t->slots = NULL;
    t->slots_count = t->slots_capacity = 0;
}

uint64_t truth_value_hash(const struct log_entry *entry)
{
    return hash_bytes(entry->kind, blob_slice(entry->value));
}

static struct truth_slot *slot_of(struct truth *t, uint64_t slot)
{
    if (slot > t->slots_capacity) {
        uint64_t capacity = t->slots_capacity == 0 ? 512 : 2 * t->slots_capacity;
        while (capacity < slot)
            capacity *= 2;
        t->slots = check_realloc(t->slots, capacity * sizeof(t->slots[0]));
        t->slots_capacity = capacity;
    }
    while (t->slots_count < slot)
        memset(&t->slots[t->slots_count++], 0, sizeof(t->slots[0]));
    return &t->slots[slot - 1];
}

bool truth_is_chosen(const struct truth *t, uint64_t slot, uint64_t value_hash)
{
    if (slot == 0 || slot > t->slots_count)
        return false;
    const struct truth_slot *s = &t->slots[slot - 1];
    return s->chosen && s->value_hash == value_hash;
}

const struct log_entry *truth_chosen(const struct truth *t, uint64_t slot)
{
    CHECK(slot > 0 && slot <= t->prefix);
    return &t->slots[slot - 1].entry;
}

static struct truth_claim *claim_of(struct truth_slot *s, uint64_t ballot, uint64_t value_hash)
{
    for (uint32_t i = 0; i < s->claims_count; i++)
        if (s->claims[i].ballot == ballot)
            return &s->claims[i];
    s->claims = check_realloc(s->claims, (s->claims_count + 1) * sizeof(s->claims[0]));
    struct truth_claim *claim = &s->claims[s->claims_count++];
    *claim = (struct truth_claim){ballot, value_hash, 0};
    return claim;
}

static uint32_t bits(uint32_t mask)
{
    uint32_t count = 0;
    for (; mask != 0; mask &= mask - 1)
        count++;
    return count;
}

static void choose(struct truth *t, struct truth_slot *s, const struct log_entry *entry,
                   uint64_t value_hash)
{
    if (s->chosen && s->value_hash != value_hash) {
        journal_fail(t->journal, VERDICT_SAFETY,
                     "slot %" PRIu64 " has two chosen values (the second in ballot %" PRIu64 ")",
                     entry->slot, entry->ballot);
        return;
    }
    if (s->chosen)
        return;
    s->chosen = true;
    s->value_hash = value_hash;
    s->entry = *entry;
    blob_ref(s->entry.value);
    while (t->prefix < t->slots_count && t->slots[t->prefix].chosen)
        t->prefix++;
}

/* T1. */
static void take_row(struct truth *t, uint32_t id, const struct log_entry *entry)
{
    struct truth_slot *s = slot_of(t, entry->slot);
    uint64_t value_hash = truth_value_hash(entry);
    struct truth_claim *claim = claim_of(s, entry->ballot, value_hash);
    if (claim->value_hash != value_hash) {
        journal_fail(t->journal, VERDICT_SAFETY,
                     "slot %" PRIu64 ", ballot %" PRIu64 ": member %" PRIu32
                     " holds another value than members %#" PRIx32,
                     entry->slot, entry->ballot, id, claim->members_mask);
        return;
    }
    claim->members_mask |= UINT32_C(1) << id;
    if (bits(claim->members_mask) >= t->quorum)
        choose(t, s, entry, value_hash);
}

/* T3. */
static void check_row(struct truth *t, uint32_t id, const struct disk *d, uint64_t promised,
                      const struct log_entry *entry)
{
    uint64_t value_hash = truth_value_hash(entry);
    if (truth_is_chosen(t, entry->slot, value_hash))
        return;
    const struct log_entry *row = disk_row(d, entry->slot);
    if (row != NULL && row->ballot > entry->ballot)
        journal_fail(t->journal, VERDICT_SAFETY,
                     "member %" PRIu32 ", slot %" PRIu64 ": a row of ballot %" PRIu64
                     " replaces one of ballot %" PRIu64,
                     id, entry->slot, entry->ballot, row->ballot);
    if (entry->ballot < promised)
        journal_fail(t->journal, VERDICT_SAFETY,
                     "member %" PRIu32 ", slot %" PRIu64 ": accepted in ballot %" PRIu64
                     " below its promise %" PRIu64,
                     id, entry->slot, entry->ballot, promised);
}

void truth_writes(struct truth *t, uint32_t id, const struct disk *d, const struct disk_job *job)
{
    uint64_t promised = d->durable.promised;
    /* T4. */
    if (job->promise != 0 && job->promise < promised)
        journal_fail(t->journal, VERDICT_SAFETY,
                     "member %" PRIu32 " takes its promise back from %" PRIu64 " to %" PRIu64, id,
                     promised, job->promise);
    if (job->lease_ms != 0 && job->lease_ms < d->durable.longest_lease_ms)
        journal_fail(t->journal, VERDICT_SAFETY,
                     "member %" PRIu32 " forgets its longest lease, %" PRIu32 " ms", id,
                     d->durable.longest_lease_ms);
    /* A row and a higher promise in one write: the row was accepted first, and
     * found no space until now. */
    for (uint32_t i = 0; i < job->entries_count; i++) {
        check_row(t, id, d, promised, &job->entries[i]);
        take_row(t, id, &job->entries[i]);
    }
}

bool truth_same_state(const struct truth *t, const struct replica_view *view)
{
    if (view->applied == 0 || view->lost || view->applied > t->slots_count)
        return false;
    const struct truth_slot *s = &t->slots[view->applied - 1];
    return s->applied_by_someone &&
           memcmp(s->state_hash, view->state_hash, sizeof(s->state_hash)) == 0;
}

void truth_view(struct truth *t, uint32_t id, const struct replica_view *view)
{
    if (view->chosen > t->prefix || view->applied > view->chosen) {
        journal_fail(t->journal, VERDICT_SAFETY,
                     "member %" PRIu32 " calls slots to %" PRIu64
                     " chosen and has applied to %" PRIu64 "; chosen are those to %" PRIu64,
                     id, view->chosen, view->applied, t->prefix);
        return;
    }
    if (view->applied == 0 || view->lost)
        return;
    struct truth_slot *s = &t->slots[view->applied - 1];
    if (!s->applied_by_someone) {
        s->applied_by_someone = true;
        memcpy(s->state_hash, view->state_hash, sizeof(s->state_hash));
        s->revision = view->revision;
        return;
    }
    if (memcmp(s->state_hash, view->state_hash, sizeof(s->state_hash)) != 0 ||
        s->revision != view->revision)
        journal_fail(t->journal, VERDICT_SAFETY,
                     "member %" PRIu32 " has another state than others after slot %" PRIu64
                     " (revisions %" PRIu64 " and %" PRIu64 ")",
                     id, view->applied, view->revision, s->revision);
}

/* T8. Below the prefix it is the chosen value, in whatever ballot. */
void truth_counted(struct truth *t, uint32_t leader, uint64_t ballot, uint32_t member,
                   uint64_t through)
{
    for (uint64_t slot = t->prefix + 1; slot <= through; slot++) {
        const struct truth_slot *s = slot <= t->slots_count ? &t->slots[slot - 1] : NULL;
        uint32_t holders_mask = 0;
        for (uint32_t i = 0; s != NULL && i < s->claims_count; i++)
            if (s->claims[i].ballot == ballot)
                holders_mask = s->claims[i].members_mask;
        if ((s != NULL && s->chosen) || (holders_mask >> member & 1) != 0)
            continue;
        journal_fail(t->journal, VERDICT_SAFETY,
                     "leader %" PRIu32 " counts slots to %" PRIu64 " in ballot %" PRIu64
                     " as held by member %" PRIu32 ", which never had slot %" PRIu64 " of it",
                     leader, through, ballot, member, slot);
        return;
    }
}

void truth_rows(struct truth *t, uint32_t id, const struct disk *d, const struct replica_view *view,
                uint64_t *judged)
{
    uint64_t last = view->chosen < d->rows_count ? view->chosen : d->rows_count;
    if (d->jobs_count > 0 || d->refusing || d->durable.log_damaged || view->lost)
        return;
    if (*judged < view->floor)
        *judged = view->floor;
    for (; *judged < last; ++*judged) {
        const struct log_entry *row = disk_row(d, *judged + 1);
        if (row != NULL && truth_is_chosen(t, row->slot, truth_value_hash(row)))
            continue;
        journal_fail(t->journal, VERDICT_SAFETY,
                     "member %" PRIu32 " has slots %" PRIu64 " to %" PRIu64
                     " to give to others, but its row of slot %" PRIu64 " is %s",
                     id, view->floor + 1, view->chosen, *judged + 1,
                     row == NULL ? "not there" : "not what was chosen");
        return;
    }
}
