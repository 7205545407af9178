/* cluster.c - see cluster.h. */
#include "tests/paxos/cluster.h"

#include <CUnit/CUnit.h>
#include <stdlib.h>
#include <string.h>

#include "libcoord/base/check.h"
#include "libcoord/base/hash.h"
#include "libcoord/base/units.h"

static uint64_t hash_of(uint32_t kind, struct slice value)
{
    return hash_bytes(kind, value);
}

/* ---- the world's side of a step ---- */

static void write_down(struct machine *m, struct paxos_persist *p)
{
    if (p->kind == PAXOS_PERSIST_PROMISE) {
        m->promised = p->ballot;
    } else if (p->kind == PAXOS_PERSIST_LEASE) {
        m->longest_lease_ms = p->lease_ms;
    } else {
        struct log_entry *at = &m->log[p->entry.slot - 1];

        CHECK(p->entry.slot <= CLUSTER_TAKEN_MAX);
        blob_unref(at->value);
        *at = p->entry;
    }
}

static void sync_disk(struct cluster *c, int i)
{
    struct machine *m = &c->machines[i];
    struct paxos_event e = {.kind = PAXOS_EVENT_PERSISTED};

    if (m->disk_stuck || m->waiting_count == 0 || m->paxos == NULL)
        return;
    if (m->disk_full) {
        e.kind = PAXOS_EVENT_FULL;
        e.sequence = m->waiting[0].sequence;
        for (int k = 0; k < m->waiting_count; k++)
            blob_unref(m->waiting[k].entry.value);
        m->waiting_count = 0;
        cluster_step(c, i, &e);
        return;
    }
    for (int k = 0; k < m->waiting_count; k++)
        write_down(m, &m->waiting[k]);
    e.sequence = m->waiting[m->waiting_count - 1].sequence;
    m->waiting_count = 0;
    cluster_step(c, i, &e);
}

static void take_chosen(struct cluster *c, int i, struct paxos_effects *out)
{
    struct machine *m = &c->machines[i];
    const struct log_entry *entry;

    while ((entry = paxos_next_chosen(m->paxos, out)) != NULL) {
        uint64_t hash = hash_of(entry->kind, blob_slice(entry->value));

        CHECK(entry->slot == m->applied_count + 1 && entry->slot <= CLUSTER_TAKEN_MAX);
        m->applied_hash[m->applied_count++] = hash;
        /* One value for each slot, whoever applies it. */
        for (int k = 0; k < c->count; k++)
            if (c->machines[k].applied_count >= entry->slot)
                CU_ASSERT_EQUAL_FATAL(c->machines[k].applied_hash[entry->slot - 1], hash);
    }
}

static void carry_out(struct cluster *c, int i, struct paxos_effects *out)
{
    struct machine *m = &c->machines[i];

    if (out->halt != NULL)
        m->halted = out->halt;
    for (uint32_t k = 0; k < out->persists_count; k++) {
        CHECK(m->waiting_count < CLUSTER_QUEUE_MAX);
        m->waiting[m->waiting_count++] = out->persists[k];
        out->persists[k].entry.value = NULL;
    }
    for (uint32_t k = 0; k < out->sends_count; k++) {
        for (int to = 0; to < c->count; to++) {
            struct letter *l = &c->letters[c->letters_count];
            const struct message *sent = &out->sends[k].message;

            if ((out->sends[k].to_mask >> to & 1) == 0)
                continue;
            CHECK(c->letters_count < CLUSTER_QUEUE_MAX);
            l->from = i;
            l->to = to;
            l->due_ns = c->now_ns + c->delay_ms * NS_PER_MS;
            l->message = *sent;
            l->message.entries = NULL;
            l->message.entries_count = 0;
            for (uint32_t n = 0; n < sent->entries_count; n++)
                CHECK(message_add(&l->message, &sent->entries[n]));
            c->letters_count++;
        }
    }
}

/* Reads are answered at once, from the disk. */
static void answer_reads(struct cluster *c, int i, const struct paxos_effects *out)
{
    for (uint32_t k = 0; k < out->reads_count; k++) {
        struct paxos_event e = {.kind = PAXOS_EVENT_LOG_READ, .token = out->reads[k].token};

        e.entries = &c->machines[i].log[out->reads[k].first_slot - 1];
        e.entries_count = (uint32_t)(out->reads[k].last_slot - out->reads[k].first_slot + 1);
        cluster_step(c, i, &e);
    }
}

void cluster_step(struct cluster *c, int i, struct paxos_event *e)
{
    struct machine *m = &c->machines[i];
    struct paxos_effects out;

    if (m->paxos == NULL)
        return;
    paxos_effects_init(&out);
    e->now_ns = c->now_ns;
    paxos_step(m->paxos, e, &out);
    take_chosen(c, i, &out);
    CU_ASSERT_PTR_NULL_FATAL(paxos_check(m->paxos));
    carry_out(c, i, &out);
    answer_reads(c, i, &out);
    paxos_effects_release(&out);
}

/* ---- machines ---- */

static void links(struct cluster *c, int i, int other, bool up)
{
    struct paxos_event e = {.kind = PAXOS_EVENT_LINK, .from = (uint32_t)other + 1, .up = up};

    cluster_step(c, i, &e);
}

void cluster_start(struct cluster *c, int i)
{
    struct machine *m = &c->machines[i];
    struct paxos_config config = {.members_count = (uint32_t)c->count,
                                  .self = (uint32_t)i + 1,
                                  .incarnation = m->incarnation,
                                  .seed = (uint64_t)i + 77,
                                  .promised = m->promised,
                                  .longest_lease_ms = m->longest_lease_ms};
    struct paxos_event e = {.kind = PAXOS_EVENT_TIME};
    struct paxos_effects out;
    const char *why;

    for (int k = 0; k < c->count; k++)
        config.ids[k] = (uint32_t)k + 1;
    CHECK(paxos_new(&config, &m->paxos, &why) == ERR_OK);
    paxos_effects_init(&out);
    m->applied_count = 0;
    for (int slot = 0; slot < CLUSTER_TAKEN_MAX && m->log[slot].value != NULL; slot++) {
        CHECK(paxos_load(m->paxos, &m->log[slot]) == ERR_OK);
        take_chosen(c, i, &out);
    }
    paxos_effects_release(&out);
    paxos_loaded(m->paxos, c->now_ns);
    cluster_step(c, i, &e);
    for (int k = 0; k < c->count; k++) {
        if (k == i || c->machines[k].paxos == NULL)
            continue;
        links(c, i, k, true);
        links(c, k, i, true);
    }
}

void cluster_crash(struct cluster *c, int i)
{
    struct machine *m = &c->machines[i];

    for (int k = 0; k < m->waiting_count; k++)
        blob_unref(m->waiting[k].entry.value);
    m->waiting_count = 0;
    paxos_free(m->paxos);
    m->paxos = NULL;
    for (int k = 0; k < c->count; k++)
        if (k != i)
            links(c, k, i, false);
}

static void forget(struct machine *m)
{
    for (int slot = 0; slot < CLUSTER_TAKEN_MAX; slot++) {
        blob_unref(m->log[slot].value);
        m->log[slot] = (struct log_entry){0};
    }
    m->promised = 0;
    m->longest_lease_ms = 0;
}

void cluster_wipe(struct cluster *c, int i)
{
    cluster_crash(c, i);
    forget(&c->machines[i]);
    c->machines[i].incarnation += 1000;
    cluster_start(c, i);
}

struct cluster *cluster_new(int count)
{
    struct cluster *c = check_calloc(1, sizeof *c);

    c->count = count;
    c->now_ns = NS_PER_S;
    for (int i = 0; i < count; i++)
        c->machines[i].incarnation = (uint64_t)i + 1;
    for (int i = 0; i < count; i++)
        cluster_start(c, i);
    return c;
}

void cluster_free(struct cluster *c)
{
    for (int i = 0; i < c->count; i++) {
        if (c->machines[i].paxos != NULL)
            cluster_crash(c, i);
        forget(&c->machines[i]);
    }
    for (int k = 0; k < c->letters_count; k++)
        message_release(&c->letters[k].message);
    free(c);
}

void cluster_isolate(struct cluster *c, int i)
{
    c->machines[i].cut_mask = ~0u;
}

void cluster_heal(struct cluster *c)
{
    for (int i = 0; i < c->count; i++)
        c->machines[i].cut_mask = 0;
}

void cluster_full(struct cluster *c, int i, bool full)
{
    c->machines[i].disk_full = full;
}

void cluster_disk(struct cluster *c, int i, bool stuck)
{
    c->machines[i].disk_stuck = stuck;
}

/* ---- the course of things ---- */

void cluster_feed(struct cluster *c, int from, int to, const struct message *m)
{
    struct paxos_event e = {.kind = PAXOS_EVENT_MESSAGE,
                            .from = (uint32_t)from + 1,
                            .incarnation = c->machines[from].incarnation,
                            .message = m};

    cluster_step(c, to, &e);
}

static void deliver_all(struct cluster *c)
{
    static struct letter mail[CLUSTER_QUEUE_MAX];
    int count = c->letters_count;

    memcpy(mail, c->letters, (size_t)count * sizeof *mail);
    c->letters_count = 0;
    for (int k = 0; k < count; k++) {
        struct letter *l = &mail[k];
        bool cut = (c->machines[l->from].cut_mask >> l->to & 1) != 0 ||
                   (c->machines[l->to].cut_mask >> l->from & 1) != 0;

        if (c->machines[l->to].paused || c->now_ns < l->due_ns) {
            CHECK(c->letters_count < CLUSTER_QUEUE_MAX);
            c->letters[c->letters_count++] = *l;
            continue;
        }
        if (!cut && (c->intercept == NULL || !c->intercept(c, l)))
            cluster_feed(c, l->from, l->to, &l->message);
        message_release(&l->message);
    }
}

void cluster_run(struct cluster *c, int ms)
{
    for (int t = 0; t < ms; t++) {
        c->now_ns += NS_PER_MS;
        deliver_all(c);
        for (int i = 0; i < c->count; i++) {
            struct paxos_event e = {.kind = PAXOS_EVENT_TIME};

            if (c->machines[i].paused)
                continue;
            sync_disk(c, i);
            if (c->machines[i].paxos != NULL && paxos_wake_at(c->machines[i].paxos) <= c->now_ns)
                cluster_step(c, i, &e);
        }
    }
}

int cluster_leader(struct cluster *c, int ms)
{
    for (int t = 0; t < ms; t++) {
        for (int i = 0; i < c->count; i++)
            if (c->machines[i].paxos != NULL && paxos_can_propose(c->machines[i].paxos) &&
                paxos_lease_valid(c->machines[i].paxos, c->now_ns))
                return i;
        cluster_run(c, 1);
    }
    return -1;
}

bool cluster_propose(struct cluster *c, int i, const char *value)
{
    struct paxos_event e = {.kind = PAXOS_EVENT_PROPOSE};

    if (!paxos_can_propose(c->machines[i].paxos))
        return false;
    e.value = blob_copy(slice_of_string(value));
    cluster_step(c, i, &e);
    blob_unref(e.value);
    return true;
}

bool cluster_applied(const struct cluster *c, int i, const char *value)
{
    uint64_t hash = hash_of(ENTRY_BATCH, slice_of_string(value));

    for (uint64_t k = 0; k < c->machines[i].applied_count; k++)
        if (c->machines[i].applied_hash[k] == hash)
            return true;
    return false;
}

int cluster_applied_by(const struct cluster *c, const char *value)
{
    int count = 0;

    for (int i = 0; i < c->count; i++)
        count += cluster_applied(c, i, value);
    return count;
}
