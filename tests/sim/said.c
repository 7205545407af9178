/* said.c - see said.h. */
#include "tests/sim/said.h"

#include <inttypes.h>
#include <stdio.h>

#include "coord/v1/replica.pb-c.h"
#include "libcoord/base/check.h"
#include "libcoord/base/hash.h"
#include "tests/sim/scratch.h"

static const Coord__V1__Message *decode(struct scratch *scratch, struct slice bytes)
{
    const Coord__V1__Envelope *envelope =
        coord__v1__envelope__unpack(scratch_allocator(scratch), bytes.length, bytes.data);
    if (envelope == NULL)
        return NULL;
    return coord__v1__message__unpack(scratch_allocator(scratch), envelope->body.len,
                                      envelope->body.data);
}

static void check_promised(struct truth *t, uint32_t from, const struct disk *d, uint64_t ballot,
                           const char *what)
{
    if (d->durable.promised < ballot)
        journal_fail(t->journal, VERDICT_SAFETY,
                     "member %" PRIu32 " sends %s of ballot %" PRIu64 ", but only %" PRIu64
                     " is durable there",
                     from, what, ballot, d->durable.promised);
}

static void check_chosen(struct truth *t, uint32_t from, uint64_t chosen, const char *what)
{
    if (chosen > t->prefix)
        journal_fail(t->journal, VERDICT_SAFETY,
                     "member %" PRIu32 " sends %s that calls slots to %" PRIu64
                     " chosen; chosen are those to %" PRIu64,
                     from, what, chosen, t->prefix);
}

/* Rows that were compared once in this ballot need not be again: T3 watches what
 * replaces them. */
static void check_held(struct truth *t, uint32_t from, uint32_t life, const struct disk *d,
                       uint64_t checkpoint, uint64_t ballot, uint64_t held)
{
    if (t->said_ballot[from] != ballot || t->said_life[from] != life) {
        t->said_ballot[from] = ballot;
        t->said_life[from] = life;
        t->said_held[from] = 0;
    }
    for (uint64_t slot = t->said_held[from] + 1; slot <= held; slot++) {
        if (slot <= d->durable.floor || slot <= checkpoint) {
            t->said_held[from] = slot; /* chosen, and part of a checkpoint */
            continue;
        }
        const struct log_entry *row = disk_row(d, slot);
        if (row == NULL ||
            (row->ballot != ballot && !truth_is_chosen(t, slot, truth_value_hash(row)))) {
            journal_fail(t->journal, VERDICT_SAFETY,
                         "member %" PRIu32 " says it holds slots to %" PRIu64 " in ballot %" PRIu64
                         ", but slot %" PRIu64 " is %s there",
                         from, held, ballot, slot,
                         row == NULL ? "not durable" : "of another ballot");
            return;
        }
        t->said_held[from] = slot;
    }
}

/* What a Promise leaves out, its candidate takes for never accepted. Chunks join on,
 * so the last one says to where all of them reach. */
static void check_told(struct truth *t, uint32_t from, const struct disk *d,
                       const Coord__V1__Promise *m)
{
    uint64_t through = m->chosen;
    for (size_t i = 0; i < m->n_entries; i++) {
        const struct log_entry *row = disk_row(d, m->entries[i]->slot);
        through = m->entries[i]->slot;
        if (row != NULL && row->ballot > m->entries[i]->ballot &&
            !truth_is_chosen(t, through, truth_value_hash(row)))
            journal_fail(t->journal, VERDICT_SAFETY,
                         "member %" PRIu32 " promises and tells slot %" PRIu64
                         " as of ballot %" PRIu64 ", but has it of ballot %" PRIu64,
                         from, through, m->entries[i]->ballot, row->ballot);
    }
    if (m->done && through < d->rows_count)
        journal_fail(t->journal, VERDICT_SAFETY,
                     "member %" PRIu32 " promises and tells slots to %" PRIu64
                     ", but has accepted them to %" PRIu64,
                     from, through, d->rows_count);
}

/* What is fetched is taken for chosen without more ado. */
static void check_fetched(struct truth *t, uint32_t from, const Coord__V1__Fetched *m)
{
    for (size_t i = 0; i < m->n_entries; i++) {
        struct slice value = slice_of(m->entries[i]->value.data, m->entries[i]->value.len);
        if (!truth_is_chosen(t, m->entries[i]->slot, hash_bytes(m->entries[i]->kind, value)))
            journal_fail(t->journal, VERDICT_SAFETY,
                         "member %" PRIu32 " sends a value of slot %" PRIu64
                         " as chosen that is not",
                         from, m->entries[i]->slot);
    }
}

void said_check(struct truth *t, uint32_t from, uint32_t life, const struct disk *d,
                uint64_t checkpoint, struct slice envelope)
{
    struct scratch scratch;
    scratch_init(&scratch);
    const Coord__V1__Message *m = decode(&scratch, envelope);
    if (m == NULL) {
        journal_fail(t->journal, VERDICT_SAFETY, "member %" PRIu32 " sends what nobody can read",
                     from);
        scratch_release(&scratch);
        return;
    }
    switch (m->body_case) {
    case COORD__V1__MESSAGE__BODY_PREPARE:
        check_promised(t, from, d, m->prepare->ballot, "Prepare");
        break;
    case COORD__V1__MESSAGE__BODY_PROMISE:
        check_promised(t, from, d, m->promise->ballot, "Promise");
        check_chosen(t, from, m->promise->chosen, "Promise");
        check_told(t, from, d, m->promise);
        break;
    case COORD__V1__MESSAGE__BODY_ACCEPT:
        check_promised(t, from, d, m->accept->ballot, "Accept");
        check_chosen(t, from, m->accept->chosen, "Accept");
        break;
    case COORD__V1__MESSAGE__BODY_ACCEPTED:
        check_promised(t, from, d, m->accepted->ballot, "Accepted");
        check_held(t, from, life, d, checkpoint, m->accepted->ballot, m->accepted->held);
        break;
    case COORD__V1__MESSAGE__BODY_PROBED:
        check_chosen(t, from, m->probed->chosen, "Probed");
        break;
    case COORD__V1__MESSAGE__BODY_FETCHED:
        check_fetched(t, from, m->fetched);
        break;
    default:
        break;
    }
    scratch_release(&scratch);
}

uint64_t said_state_slot(struct slice envelope)
{
    struct scratch scratch;
    scratch_init(&scratch);
    const Coord__V1__Message *m = decode(&scratch, envelope);
    bool gives = m != NULL && m->body_case == COORD__V1__MESSAGE__BODY_TRANSFERRED;
    uint64_t slot = gives ? m->transferred->slot : 0;
    scratch_release(&scratch);
    return slot;
}

void said_text(struct slice bytes, char *out, size_t out_bytes)
{
    struct scratch scratch;
    scratch_init(&scratch);
    const Coord__V1__Message *m = decode(&scratch, bytes);
    if (m == NULL) {
        snprintf(out, out_bytes, "?");
        scratch_release(&scratch);
        return;
    }
    switch (m->body_case) {
    case COORD__V1__MESSAGE__BODY_PREPARE:
        snprintf(out, out_bytes, "Prepare b %" PRIu64 " from slot %" PRIu64, m->prepare->ballot,
                 m->prepare->first_slot);
        break;
    case COORD__V1__MESSAGE__BODY_PROMISE:
        snprintf(out, out_bytes, "Promise b %" PRIu64 " chosen %" PRIu64 " entries %zu%s",
                 m->promise->ballot, m->promise->chosen, m->promise->n_entries,
                 m->promise->done ? " done" : "");
        break;
    case COORD__V1__MESSAGE__BODY_ACCEPT:
        snprintf(out, out_bytes,
                 "Accept b %" PRIu64 " after %" PRIu64 " entries %zu chosen %" PRIu64
                 " round %" PRIu64 "%s",
                 m->accept->ballot, m->accept->previous_slot, m->accept->n_entries,
                 m->accept->chosen, m->accept->round, m->accept->healthy ? "" : " unhealthy");
        break;
    case COORD__V1__MESSAGE__BODY_ACCEPTED:
        snprintf(out, out_bytes, "Accepted b %" PRIu64 " held %" PRIu64 " round %" PRIu64 "%s%s",
                 m->accepted->ballot, m->accepted->held, m->accepted->round,
                 m->accepted->granted ? " granted" : "", m->accepted->gap ? " gap" : "");
        break;
    case COORD__V1__MESSAGE__BODY_REFUSED:
        snprintf(out, out_bytes, "Refused b %" PRIu64 "%s", m->refused->ballot,
                 m->refused->lease ? " lease" : "");
        break;
    case COORD__V1__MESSAGE__BODY_PROBE:
        snprintf(out, out_bytes, "Probe");
        break;
    case COORD__V1__MESSAGE__BODY_PROBED:
        snprintf(out, out_bytes, "Probed %s b %" PRIu64, m->probed->happy ? "happy" : "unhappy",
                 m->probed->promised);
        break;
    case COORD__V1__MESSAGE__BODY_FETCH:
        snprintf(out, out_bytes, "Fetch %" PRIu64 "..%" PRIu64, m->fetch->first_slot,
                 m->fetch->last_slot);
        break;
    case COORD__V1__MESSAGE__BODY_FETCHED:
        snprintf(out, out_bytes, "Fetched %" PRIu64 " entries %zu", m->fetched->first_slot,
                 m->fetched->n_entries);
        break;
    case COORD__V1__MESSAGE__BODY_TRANSFER:
        snprintf(out, out_bytes, "Transfer chunk %" PRIu32 ", of slot %" PRIu64 " or later",
                 m->transfer->chunk, m->transfer->first_slot);
        break;
    case COORD__V1__MESSAGE__BODY_TRANSFERRED:
        snprintf(out, out_bytes, "Transferred chunk %" PRIu32 " of slot %" PRIu64 "%s",
                 m->transferred->chunk, m->transferred->slot,
                 m->transferred->last ? ", the last" : "");
        break;
    case COORD__V1__MESSAGE__BODY_STATE_HASH:
        snprintf(out, out_bytes, "StateHash of slot %" PRIu64 " %#" PRIx64, m->state_hash->slot,
                 m->state_hash->first);
        break;
    case COORD__V1__MESSAGE__BODY_RELINQUISH:
        snprintf(out, out_bytes, "Relinquish b %" PRIu64, m->relinquish->ballot);
        break;
    default:
        snprintf(out, out_bytes, "empty message");
        break;
    }
    scratch_release(&scratch);
}
