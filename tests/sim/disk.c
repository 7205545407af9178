/* disk.c - see disk.h. */
#include "tests/sim/disk.h"

#include <stdlib.h>
#include <string.h>

#include "libcoord/base/check.h"

void disk_init(struct disk *d, disk_writes *on_write, void *context)
{
    memset(d, 0, sizeof(*d));
    d->on_write = on_write;
    d->context = context;
}

static void job_release(struct disk_job *job)
{
    for (uint32_t i = 0; i < job->entries_count; i++)
        blob_unref(job->entries[i].value);
    free(job->entries);
}

/* The first `count` jobs are dealt with. */
static void drop_head(struct disk *d, uint32_t count)
{
    CHECK(count <= d->jobs_count);
    for (uint32_t i = 0; i < count; i++)
        job_release(&d->jobs[i]);
    d->jobs_count -= count;
    if (d->jobs_count > 0)
        memmove(d->jobs, d->jobs + count, d->jobs_count * sizeof(d->jobs[0]));
}

void disk_release(struct disk *d)
{
    drop_head(d, d->jobs_count);
    free(d->jobs);
    for (uint64_t i = 0; i < d->rows_count; i++)
        blob_unref(d->rows[i].value);
    free(d->rows);
    disk_init(d, NULL, NULL);
}

static struct disk_job *add_job(struct disk *d)
{
    if (d->jobs_count == d->jobs_capacity) {
        d->jobs_capacity = d->jobs_capacity == 0 ? 8 : 2 * d->jobs_capacity;
        d->jobs = check_realloc(d->jobs, d->jobs_capacity * sizeof(d->jobs[0]));
    }
    struct disk_job *job = &d->jobs[d->jobs_count++];
    memset(job, 0, sizeof(*job));
    return job;
}

static bool persists(const struct effect *e)
{
    return e->kind == EFFECT_PERSIST_PROMISE || e->kind == EFFECT_PERSIST_ENTRY ||
           e->kind == EFFECT_PERSIST_LEASE || e->kind == EFFECT_PERSIST_FLOOR;
}

uint32_t disk_would_write(const struct effect *effects, uint32_t count)
{
    uint32_t writes = 0;
    for (uint32_t i = 0; i < count; i++)
        writes += persists(&effects[i]);
    return writes;
}

bool disk_hand_over(struct disk *d, const struct effect *effects, uint32_t count)
{
    uint32_t writes = disk_would_write(effects, count);
    if (writes == 0)
        return false;
    if (d->refusing)
        return true;

    struct disk_job *job = add_job(d);
    job->entries = check_calloc(writes, sizeof(job->entries[0]));
    for (uint32_t i = 0; i < count; i++) {
        const struct effect *e = &effects[i];
        if (!persists(e))
            continue;
        CHECK(e->sequence >= job->last_sequence);
        if (job->first_sequence == 0)
            job->first_sequence = e->sequence;
        job->last_sequence = e->sequence;
        if (e->kind == EFFECT_PERSIST_PROMISE)
            job->promise = e->ballot;
        if (e->kind == EFFECT_PERSIST_LEASE)
            job->lease_ms = e->lease_ms;
        if (e->kind == EFFECT_PERSIST_FLOOR)
            job->floor = e->last_slot;
        if (e->kind == EFFECT_PERSIST_ENTRY) {
            struct log_entry *entry = &job->entries[job->entries_count++];
            *entry = e->entry;
            blob_ref(entry->value);
        }
    }
    return true;
}

void disk_hand_over_read(struct disk *d, const struct effect *effect)
{
    struct disk_job *job = add_job(d);
    job->is_read = true;
    job->token = effect->token;
    job->first_slot = effect->first_slot;
    job->last_slot = effect->last_slot;
    job->bytes_max = effect->bytes_max;
}

uint32_t disk_begin(struct disk *d)
{
    CHECK(d->committing == 0);
    uint32_t steps = 0;
    while (steps < d->jobs_count && !d->jobs[steps].is_read)
        steps++;
    d->committing = steps;
    return steps;
}

static void make_room(struct disk *d, uint64_t slot)
{
    uint64_t capacity = d->rows_capacity == 0 ? 256 : 2 * d->rows_capacity;
    if (slot <= d->rows_capacity)
        return;
    if (capacity < slot)
        capacity = slot;
    d->rows = check_realloc(d->rows, capacity * sizeof(d->rows[0]));
    memset(d->rows + d->rows_capacity, 0, (capacity - d->rows_capacity) * sizeof(d->rows[0]));
    d->rows_capacity = capacity;
}

/* Rows up to it are gone; the log goes on behind it. */
static void raise_floor(struct disk *d, uint64_t floor)
{
    make_room(d, floor);
    for (uint64_t slot = d->durable.floor + 1; slot <= floor; slot++) {
        blob_unref(d->rows[slot - 1].value);
        d->rows[slot - 1] = (struct log_entry){0};
    }
    if (floor >= d->rows_count)
        d->durable.log_damaged = false;
    if (floor >= d->rotten)
        d->rotten = 0;
    d->durable.floor = floor;
    if (d->rows_count < floor)
        d->rows_count = floor;
}

static void write_row(struct disk *d, const struct log_entry *entry)
{
    CHECK(entry->slot > 0);
    make_room(d, entry->slot);
    struct log_entry *row = &d->rows[entry->slot - 1];
    blob_unref(row->value);
    *row = *entry;
    blob_ref(row->value);
    if (entry->slot > d->rows_count)
        d->rows_count = entry->slot;
    if (entry->slot == d->rotten)
        d->rotten = 0;
}

static void make_durable(struct disk *d, const struct disk_job *job)
{
    if (d->on_write != NULL)
        d->on_write(d->context, d, job);
    if (job->promise != 0)
        d->durable.promised = job->promise;
    if (job->lease_ms != 0)
        d->durable.longest_lease_ms = job->lease_ms;
    for (uint32_t i = 0; i < job->entries_count; i++)
        write_row(d, &job->entries[i]);
    if (job->floor > d->durable.floor)
        raise_floor(d, job->floor);
}

uint64_t disk_finish(struct disk *d)
{
    CHECK(d->committing > 0);
    uint64_t sequence = d->jobs[d->committing - 1].last_sequence;
    for (uint32_t i = 0; i < d->committing; i++)
        make_durable(d, &d->jobs[i]);
    drop_head(d, d->committing);
    d->committing = 0;
    return sequence;
}

uint64_t disk_refuse(struct disk *d)
{
    CHECK(d->committing > 0);
    uint64_t sequence = d->jobs[0].first_sequence;
    uint32_t kept = 0;
    for (uint32_t i = 0; i < d->jobs_count; i++) {
        if (d->jobs[i].is_read)
            d->jobs[kept++] = d->jobs[i];
        else
            job_release(&d->jobs[i]);
    }
    d->jobs_count = kept;
    d->committing = 0;
    d->refusing = true;
    return sequence;
}

void disk_accept_again(struct disk *d)
{
    d->refusing = false;
}

const struct disk_job *disk_read(const struct disk *d)
{
    return d->jobs_count > 0 && d->jobs[0].is_read ? &d->jobs[0] : NULL;
}

void disk_read_done(struct disk *d)
{
    CHECK(disk_read(d) != NULL);
    drop_head(d, 1);
}

static void keep_prefix(struct disk *d, uint32_t steps)
{
    for (uint32_t i = 0; i < steps; i++)
        make_durable(d, &d->jobs[i]);
    drop_head(d, d->jobs_count);
    d->committing = 0;
    d->refusing = false;
}

uint32_t disk_crash(struct disk *d, struct prng *random)
{
    uint32_t steps = (uint32_t)prng_between(random, 0, d->committing);
    keep_prefix(d, steps);
    return steps;
}

uint32_t disk_power_cut(struct disk *d, struct prng *random, uint32_t torn_ppm)
{
    uint32_t steps = 0;
    if (prng_chance(random, torn_ppm, 1000000))
        steps = (uint32_t)prng_between(random, 0, d->committing);
    keep_prefix(d, steps);
    return steps;
}

/* ---- damage ---- */

uint64_t disk_rot(struct disk *d, struct prng *random)
{
    if (d->rotten != 0 || d->durable.log_damaged || d->rows_count <= d->durable.floor)
        return 0;
    uint64_t slot = prng_between(random, d->durable.floor + 1, d->rows_count);
    if (disk_row(d, slot) != NULL)
        d->rotten = slot;
    return d->rotten;
}

bool disk_reads_rot(const struct disk *d, uint64_t first, uint64_t last)
{
    return d->rotten != 0 && first <= d->rotten && d->rotten <= last;
}

void disk_lose_log(struct disk *d)
{
    for (uint64_t slot = d->durable.floor + 1; slot <= d->rows_count; slot++) {
        blob_unref(d->rows[slot - 1].value);
        d->rows[slot - 1] = (struct log_entry){0};
    }
    d->rotten = 0;
    d->durable.log_damaged = true;
}

const struct log_entry *disk_row(const struct disk *d, uint64_t slot)
{
    if (slot == 0 || slot > d->rows_count || d->rows[slot - 1].value == NULL)
        return NULL;
    return &d->rows[slot - 1];
}
