/* divergence.c - see divergence.h. */
#include "coordd/replica/divergence.h"

#include <string.h>

#include "coordd/replica/inner.h"
#include "coordd/replica/peer_codec.h"
#include "libcoord/base/check.h"

enum {
    COMPARE_MS = 5000,         /* default of the configuration */
    TELL_AGAIN_MS = 500,       /* a message may get lost */
    TELLS_MAX = 20,            /* of one point */
    AGAIN_MS = 60 * 60 * 1000, /* so soon it must not happen twice */
    LINGER_MS = 3000,          /* before it stops, so that the others hear why */
};

void divergence_init(struct replica_config *config)
{
    if (config->compare_ms == 0)
        config->compare_ms = COMPARE_MS;
    if (config->state_encoding == 0)
        config->state_encoding = STATE_ENCODING;
}

static bool same(const uint64_t a[2], const uint64_t b[2])
{
    return a[0] == b[0] && a[1] == b[1];
}

static uint32_t count_of(uint32_t mask)
{
    uint32_t count = 0;

    for (; mask != 0; mask &= mask - 1)
        count++;
    return count;
}

/* Its place in the configuration, or -1. */
static int place_of(const struct replica *r, uint32_t member)
{
    for (uint32_t i = 0; i < r->config.members_count; i++)
        if (r->config.members[i].id == member)
            return (int)i;
    return -1;
}

static bool is_majority(const struct replica *r, uint32_t count)
{
    return 2 * count > r->config.members_count;
}

bool divergence_found(const struct replica *r)
{
    return r->divergence.quarantined || r->divergence.halt != NULL;
}

bool divergence_trusts(const struct replica *r, uint32_t member)
{
    int place = place_of(r, member);

    if (!divergence_found(r))
        return true;
    return r->divergence.halt == NULL &&
           (place >= 0 && (r->divergence.trusted_mask >> (uint32_t)place & 1) != 0);
}

/* ---- judging ---- */

struct verdict {
    uint32_t said_mask, agree_mask; /* those that said something; the most that said the same */
    bool differ, majority, hopeless;
    uint64_t hash[2]; /* of those who agree */
};

static struct verdict judge(const struct replica *r, const struct state_comparison *c)
{
    struct verdict v = {.said_mask = 0};
    uint32_t silent;

    for (uint32_t i = 0; i < c->count; i++) {
        uint32_t mask = 0;

        for (uint32_t k = 0; k < c->count; k++) {
            int place = place_of(r, c->said[k].member);

            if (place >= 0 && same(c->said[i].hash, c->said[k].hash))
                mask |= 1u << (uint32_t)place;
        }
        v.said_mask |= mask;
        if (count_of(mask) > count_of(v.agree_mask)) {
            v.agree_mask = mask;
            memcpy(v.hash, c->said[i].hash, sizeof v.hash);
        }
    }
    silent = r->config.members_count - count_of(v.said_mask);
    v.differ = v.said_mask != v.agree_mask;
    v.majority = is_majority(r, count_of(v.agree_mask));
    v.hopeless = !is_majority(r, count_of(v.agree_mask) + silent);
    return v;
}

/* What it told of its state; NULL: nothing, or of one that it has no more. */
static const uint64_t *told_hash(const struct replica *r, const struct state_comparison *c)
{
    for (uint32_t i = 0; i < c->count && c->slot > r->divergence.installed; i++)
        if (c->said[i].member == r->config.self)
            return c->said[i].hash;
    return NULL;
}

static const uint64_t *noted_hash(const struct replica *r, const struct state_comparison *c)
{
    const struct divergence *d = &r->divergence;

    for (uint32_t i = 0; i < DIVERGENCE_POINTS_MAX; i++)
        if (d->points[i].slot == c->slot)
            return d->points[i].hash;
    return NULL;
}

/* Nothing more is applied, and in a while this process ends. A leader tells the others
 * first that the entry is chosen, for without it they may not be enough to find out. */
static void stop(struct replica *r, const char *why)
{
    struct paxos_event e = {.kind = PAXOS_EVENT_ROUND, .now_ns = r->now_ns};

    r->divergence.halt = why;
    if (paxos_role(r->paxos) == PAXOS_LEADER)
        paxos_step(r->paxos, &e, &r->owed);
    paxos_lose_state(r->paxos, &r->owed);
}

static void quarantine(struct replica *r, uint32_t trusted_mask)
{
    struct divergence *d = &r->divergence;

    if (d->last_ns != 0 && r->now_ns - d->last_ns < ms_to_ns(AGAIN_MS)) {
        stop(r, "this member's state is not that of the others again, soon after it had been "
                "got from one of them: check its memory and its version");
        return;
    }
    d->quarantined = d->quarantine_due = true;
    d->trusted_mask = trusted_mask;
    paxos_lose_state(r->paxos, &r->owed);
}

static void agreed(struct divergence *d, uint64_t slot)
{
    d->compared = slot;
    if (slot > d->installed)
        d->copied = false;
}

/* A member that was restarted from a state behind the slot has no note, and goes by what
 * it told. One that told what the majority told, and has noted something else when its log
 * was replayed, runs a program now that does not do what the one before it did: how good its
 * state is the next comparison shows, in which all say what they have now. */
static void compare(struct replica *r, const struct state_comparison *c)
{
    struct divergence *d = &r->divergence;
    const uint64_t *noted = noted_hash(r, c), *told = told_hash(r, c);
    const uint64_t *own = noted != NULL ? noted : told;
    struct verdict v;

    if (c->encoding != r->config.state_encoding)
        return;
    v = judge(r, c);
    d->shown_at = c->slot;
    d->undecided = v.differ && !v.majority;
    d->others_mask = v.majority ? v.said_mask & ~v.agree_mask : 0;
    if (v.hopeless)
        stop(r, "the members' states differ, and no majority of them agrees: all stop; keep "
                "all directories");
    if (!v.majority || own == NULL)
        return;
    if (same(own, v.hash))
        agreed(d, c->slot);
    else if (told != NULL && same(told, v.hash))
        d->replayed_at = c->slot;
    else
        quarantine(r, v.agree_mask);
}

/* ---- points ---- */

static void add_point(struct replica *r, uint64_t slot, bool fresh)
{
    struct divergence *d = &r->divergence;
    struct divergence_point *p = &d->points[0];
    int self = place_of(r, r->config.self);

    memmove(p + 1, p, (DIVERGENCE_POINTS_MAX - 1) * sizeof *p);
    p->slot = slot;
    p->fresh = fresh;
    state_hash(r->state, p->hash);
    CHECK(self >= 0);
    d->told_mask = d->copied ? 0 : 1u << (uint32_t)self;
    memcpy(d->told[self], p->hash, sizeof p->hash);
    d->tell_at_ns = r->now_ns;
    d->tells_left = d->copied ? 0 : TELLS_MAX;
    d->due_ns = r->now_ns + ms_to_ns((int64_t)r->config.compare_ms);
    d->changed = false;
}

void divergence_applied(struct replica *r, const struct log_entry *entry)
{
    struct divergence *d = &r->divergence;
    const struct state_comparison *c = &r->said.comparison;

    if (entry->kind == ENTRY_LEADER_START)
        d->changed = true;
    if (entry->kind != ENTRY_BATCH)
        return;
    if (!c->asked) {
        d->changed = true;
        return;
    }
    d->proposed_ballot = 0;
    compare(r, c);
    if (!divergence_found(r))
        add_point(r, entry->slot, d->changed || !c->alone);
}

void divergence_installed(struct replica *r, uint64_t slot)
{
    struct divergence *d = &r->divergence;

    if (d->quarantined)
        replica_note(r, NOTE_WARNING, slot, "has the state of the majority again: well");
    memset(d->points, 0, sizeof d->points);
    d->tells_left = d->told_mask = d->trusted_mask = 0;
    d->installed = slot;
    d->quarantined = d->quarantine_due = false;
    d->copied = d->changed = true;
}

/* ---- the leader ---- */

static bool told_differ(const struct replica *r)
{
    const struct divergence *d = &r->divergence;

    for (uint32_t i = 0; i < r->config.members_count; i++)
        if ((d->told_mask >> i & 1) != 0 && !same(d->told[i], d->points[0].hash))
            return true;
    return false;
}

/* If states differ it is worth waiting for all. */
void divergence_message(struct replica *r, uint32_t from, const struct message *m)
{
    struct divergence *d = &r->divergence;
    int place = place_of(r, from);

    if (place < 0 || m->number != r->config.state_encoding || m->first_slot != d->points[0].slot ||
        (d->told_mask >> (uint32_t)place & 1) != 0)
        return; /* of another point; who tells too early tells again */
    d->told_mask |= 1u << (uint32_t)place;
    memcpy(d->told[place], m->hash, sizeof m->hash);
    if (!told_differ(r))
        return;
    if (count_of(d->told_mask) == r->config.members_count)
        d->due_ns = ns_min(d->due_ns, r->now_ns);
    else
        d->due_ns = ns_max(d->due_ns, r->now_ns + ms_to_ns((int64_t)r->config.compare_ms));
}

/* What was told is worth saying. */
static bool can_compare(const struct replica *r)
{
    return is_majority(r, count_of(r->divergence.told_mask));
}

/* Something happened since the last point; or before it, and nobody said yet what
 * became of it; or it is known that states differ, and not yet whose is wrong. */
static bool is_wanted(const struct replica *r)
{
    const struct divergence *d = &r->divergence;

    return r->config.members_count > 1 && !r->handing_over &&
           d->proposed_ballot != r->leading_ballot &&
           (d->changed || (can_compare(r) && (d->points[0].fresh || told_differ(r))));
}

/* The member with the lowest id above `after` among those that told, by place; or -1. */
static int next_told(const struct replica *r, uint32_t after)
{
    int found = -1;

    for (uint32_t i = 0; i < r->config.members_count; i++)
        if ((r->divergence.told_mask >> i & 1) != 0 && r->config.members[i].id > after &&
            (found < 0 || r->config.members[i].id < r->config.members[found].id))
            found = (int)i;
    return found;
}

void divergence_tick(struct replica *r)
{
    struct divergence *d = &r->divergence;
    Coord__V1__Command command = COORD__V1__COMMAND__INIT;
    Coord__V1__CompareStates states = COORD__V1__COMPARE_STATES__INIT;
    Coord__V1__MemberHash hashes[REPLICA_MEMBERS_MAX], *pointers[REPLICA_MEMBERS_MAX];
    uint8_t bytes[REPLICA_MEMBERS_MAX][STATE_HASH_BYTES];
    uint32_t ahead;

    if (r->now_ns < d->due_ns || !is_wanted(r))
        return;
    states.hashes = pointers;
    states.encoding = r->config.state_encoding;
    if (can_compare(r))
        states.slot = d->points[0].slot;
    for (int i = next_told(r, 0); i >= 0 && states.slot != 0;
         i = next_told(r, r->config.members[i].id)) {
        size_t n = states.n_hashes++;

        coord__v1__member_hash__init(&hashes[n]);
        state_hash_put(d->told[i], bytes[n]);
        hashes[n].member = r->config.members[i].id;
        hashes[n].hash.data = bytes[n];
        hashes[n].hash.len = STATE_HASH_BYTES;
        pointers[n] = &hashes[n];
    }
    command.op_case = COORD__V1__COMMAND__OP_COMPARE_STATES;
    command.compare_states = &states;
    if (batch_queue_add(&r->queue, &command, 0, &ahead)) /* else in a later step */
        d->proposed_ballot = r->leading_ballot;
}

/* ---- everybody, in each step ---- */

static void tell_leader(struct replica *r)
{
    struct divergence *d = &r->divergence;
    struct message m = {.kind = MESSAGE_STATE_HASH,
                        .first_slot = d->points[0].slot,
                        .number = r->config.state_encoding};
    uint32_t leader = paxos_leader(r->paxos);
    struct effect *e;

    if (d->tells_left == 0 || r->now_ns < d->tell_at_ns || leader == 0 || leader == r->config.self)
        return;
    d->tells_left--;
    d->tell_at_ns = r->now_ns + ms_to_ns(TELL_AGAIN_MS);
    memcpy(m.hash, d->points[0].hash, sizeof m.hash);
    e = effects_add(r->out, EFFECT_SEND_PEER);
    e->peer = leader;
    e->bytes = peer_encode(&r->config, &m);
}

static void warn(struct replica *r)
{
    struct divergence *d = &r->divergence;

    if (d->undecided)
        replica_note(r, NOTE_WARNING, d->shown_at,
                     "the members' states behind the slot differ, and too few told theirs to know "
                     "who is right");
    for (uint32_t i = 0; i < r->config.members_count; i++)
        if ((d->others_mask >> i & 1) != 0 && r->config.members[i].id != r->config.self)
            replica_note(r, NOTE_PEER, r->config.members[i].id,
                         "has not the state that the majority has; it is quarantined");
    if (d->replayed_at != 0)
        replica_note(r, NOTE_WARNING, d->replayed_at,
                     "the log, replayed, gives another state behind the slot than this member had, "
                     "and the majority: by another program? It is not judged by that");
    d->undecided = false;
    d->others_mask = 0;
    d->replayed_at = 0;
}

/* No checkpoint may be of a slot behind the comparison: what it showed must be found
 * again after a start. And this state is nothing to give away. */
static void withdraw(struct replica *r)
{
    r->divergence.tells_left = 0;
    if (r->checkpoint.phase == CHECKPOINT_WRITING) {
        effects_add(r->out, EFFECT_CHECKPOINT_ABORT);
        checkpoint_forget(r);
    }
    transfer_withdraw(r);
}

static void begin_stop(struct replica *r)
{
    r->divergence.halt_at_ns = r->now_ns + ms_to_ns(LINGER_MS);
    replica_note(r, NOTE_WARNING, r->divergence.shown_at, r->divergence.halt);
    withdraw(r);
}

static void begin_quarantine(struct replica *r)
{
    struct divergence *d = &r->divergence;

    d->quarantine_due = false;
    d->last_ns = r->now_ns;
    replica_note(r, NOTE_WARNING, d->shown_at,
                 "this member's state behind the slot is not what the majority has: quarantined "
                 "until it has got the state of another");
    withdraw(r);
}

void divergence_step(struct replica *r)
{
    struct divergence *d = &r->divergence;

    warn(r);
    if (d->halt != NULL && d->halt_at_ns == 0)
        begin_stop(r);
    if (d->halt != NULL && r->now_ns >= d->halt_at_ns)
        effect_say(effects_add(r->out, EFFECT_HALT), d->halt);
    if (d->quarantine_due)
        begin_quarantine(r);
    tell_leader(r);
}

int64_t divergence_wake_at(const struct replica *r)
{
    const struct divergence *d = &r->divergence;
    int64_t at = NEVER_NS;
    uint32_t leader = paxos_leader(r->paxos);

    if (d->halt != NULL)
        at = ns_max(d->halt_at_ns, r->now_ns);
    if (d->tells_left > 0 && leader != 0 && leader != r->config.self)
        at = d->tell_at_ns;
    if (r->leading && is_wanted(r))
        at = ns_min(at, ns_max(d->due_ns, r->now_ns + ms_to_ns(1)));
    return at;
}
