/* saver.c - see saver.h. */
#include "tests/sim/saver.h"

#include <stdlib.h>
#include <string.h>

#include "coordd/replica/chunk.h"
#include "libcoord/base/check.h"

/* ---- images ---- */

static int compare(const void *key, const struct avl_node *node)
{
    return slice_compare(*(const struct slice *)key,
                         container_of(node, struct image_record, by_key)->key);
}

static struct slice copy(struct slice s)
{
    uint8_t *data = check_malloc(s.length + 1);
    if (s.length > 0)
        memcpy(data, s.data, s.length);
    return slice_of(data, s.length);
}

static void image_remove(struct image *image, struct slice key)
{
    struct avl_node *node = avl_find(&image->records, &key, compare);
    if (node == NULL)
        return;
    struct image_record *r = container_of(node, struct image_record, by_key);
    avl_remove(&image->records, node);
    image->records_count--;
    image->rotten -= r->rotten;
    free((void *)(uintptr_t)r->key.data);
    free((void *)(uintptr_t)r->value.data);
    free(r);
}

static void image_put(struct image *image, struct slice key, struct slice value)
{
    image_remove(image, key);
    struct image_record *r = check_calloc(1, sizeof(*r));
    r->key = copy(key);
    r->value = copy(value);
    CHECK(avl_insert(&image->records, &r->by_key, &r->key, compare) == NULL);
    image->records_count++;
}

static void rot(struct image *image, struct slice key)
{
    struct avl_node *node = avl_find(&image->records, &key, compare);
    CHECK(node != NULL);
    container_of(node, struct image_record, by_key)->rotten = true;
    image->rotten++;
}

static void image_drop(struct image *image)
{
    if (image == NULL || --image->references > 0)
        return;
    struct avl_node *first;
    while ((first = avl_first(&image->records)) != NULL)
        image_remove(image, container_of(first, struct image_record, by_key)->key);
    blob_unref(image->about);
    free(image);
}

static struct image *image_copy(const struct image *from)
{
    struct image *image = check_calloc(1, sizeof(*image));
    image->references = 1;
    if (from == NULL)
        return image;
    for (struct avl_node *at = avl_first(&from->records); at != NULL; at = avl_next(at)) {
        const struct image_record *r = container_of(at, struct image_record, by_key);
        image_put(image, r->key, r->value);
        if (r->rotten)
            rot(image, r->key);
    }
    return image;
}

/* ---- jobs ---- */

bool saver_hand_over(struct saver *v, const struct effect *e)
{
    switch (e->kind) {
    case EFFECT_CHECKPOINT_BEGIN:
    case EFFECT_CHECKPOINT_PUT:
    case EFFECT_CHECKPOINT_COMMIT:
    case EFFECT_CHECKPOINT_ABORT:
        if (v->refusing)
            return true;
        break;
    case EFFECT_READ_CHECKPOINT:
        break;
    default:
        return false;
    }
    if (v->jobs_count == v->jobs_capacity) {
        v->jobs_capacity = v->jobs_capacity == 0 ? 8 : 2 * v->jobs_capacity;
        v->jobs = check_realloc(v->jobs, v->jobs_capacity * sizeof(v->jobs[0]));
    }
    v->jobs[v->jobs_count++] =
        (struct saver_job){.kind = e->kind,
                           .whole = e->whole,
                           .slot = e->last_slot,
                           .token = e->token,
                           .bytes_max = e->bytes_max,
                           .bytes = e->bytes == NULL ? NULL : blob_ref(e->bytes)};
    return true;
}

const struct saver_job *saver_first(const struct saver *v)
{
    return v->jobs_count == 0 ? NULL : &v->jobs[0];
}

static void drop_open(struct saver *v)
{
    for (uint32_t i = 0; i < v->chunks_count; i++)
        blob_unref(v->chunks[i]);
    v->chunks_count = 0;
    v->open = false;
}

static void begin(struct saver *v, const struct saver_job *job)
{
    CHECK(!v->open); /* one at a time */
    v->open = true;
    v->whole = job->whole;
}

static void put(struct saver *v, const struct saver_job *job)
{
    if (!v->open)
        return; /* aborted since */
    if (v->chunks_count == v->chunks_capacity) {
        v->chunks_capacity = v->chunks_capacity == 0 ? 8 : 2 * v->chunks_capacity;
        v->chunks = check_realloc(v->chunks, v->chunks_capacity * sizeof(v->chunks[0]));
    }
    v->chunks[v->chunks_count++] = blob_ref(job->bytes);
}

static void apply(struct image *image, struct slice chunk)
{
    struct reader r = reader_of(chunk);
    struct chunk_record record;
    while (chunk_next(&r, &record)) {
        if (record.removed)
            image_remove(image, record.key);
        else
            image_put(image, record.key, record.value);
    }
    CHECK(reader_done(&r));
}

static void commit(struct saver *v, const struct saver_job *job)
{
    CHECK(v->open);
    if (v->whole || v->durable == NULL || v->durable->references > 1) {
        struct image *image = image_copy(v->whole ? NULL : v->durable);
        image_drop(v->durable);
        v->durable = image;
    }
    for (uint32_t i = 0; i < v->chunks_count; i++)
        apply(v->durable, blob_slice(v->chunks[i]));
    v->durable->slot = job->slot;
    blob_unref(v->durable->about);
    v->durable->about = blob_ref(job->bytes);
    drop_open(v);
}

static void close_reader(struct saver_reader *r)
{
    image_drop(r->image);
    buffer_release(&r->after);
    *r = (struct saver_reader){0};
}

static struct saver_reader *reader_for(struct saver *v, uint64_t token)
{
    struct saver_reader *unused = NULL;
    for (uint32_t i = 0; i < CHECKPOINT_READERS_MAX; i++) {
        if (v->readers[i].token == token)
            return &v->readers[i];
        if (v->readers[i].token == 0)
            unused = &v->readers[i];
    }
    return unused;
}

static struct saver_said read_on(struct saver *v, const struct saver_job *job, uint32_t chunk_bytes)
{
    struct saver_said said = {.kind = REPLICA_EVENT_CHECKPOINT_READ, .token = job->token};
    struct saver_reader *r = reader_for(v, job->token);
    struct buffer chunk = BUFFER_INIT;
    struct slice after;
    struct avl_node *at;
    CHECK(r != NULL); /* the bound is the replica's to keep */
    if (job->bytes_max == 0) {
        if (r->token != 0)
            close_reader(r);
        said.kind = REPLICA_EVENT_TIME;
        return said;
    }
    said.about = blob_new(0);
    said.bytes = blob_new(0);
    said.last = true;
    if (r->token == 0 && v->durable == NULL)
        return said;
    if (r->token == 0) {
        r->token = job->token;
        r->image = v->durable;
        r->image->references++;
    }
    blob_unref(said.about);
    blob_unref(said.bytes);
    said.slot = r->image->slot;
    said.about = blob_ref(r->image->about);
    after = buffer_slice(&r->after);
    at = avl_above(&r->image->records, &after, compare);
    while (at != NULL && chunk.length < job->bytes_max && chunk.length < chunk_bytes) {
        const struct image_record *record = container_of(at, struct image_record, by_key);
        said.rotten |= record->rotten;
        chunk_put(&chunk, record->key, record->value);
        buffer_clear(&r->after);
        buffer_put(&r->after, record->key.data, record->key.length);
        at = avl_next(at);
    }
    said.last = at == NULL;
    said.bytes = blob_copy(buffer_slice(&chunk));
    buffer_release(&chunk);
    return said;
}

static void drop_first(struct saver *v)
{
    blob_unref(v->jobs[0].bytes);
    v->jobs_count--;
    memmove(v->jobs, v->jobs + 1, v->jobs_count * sizeof(v->jobs[0]));
}

struct saver_said saver_done(struct saver *v, uint32_t chunk_bytes)
{
    const struct saver_job job = v->jobs[0];
    struct saver_said said = {.kind = REPLICA_EVENT_TIME};
    if (job.kind == EFFECT_CHECKPOINT_BEGIN) {
        begin(v, &job);
    } else if (job.kind == EFFECT_CHECKPOINT_PUT) {
        put(v, &job);
        said.kind = REPLICA_EVENT_CHECKPOINT_TAKEN;
    } else if (job.kind == EFFECT_CHECKPOINT_COMMIT) {
        commit(v, &job);
        said.kind = REPLICA_EVENT_CHECKPOINTED;
        said.slot = job.slot;
    } else if (job.kind == EFFECT_CHECKPOINT_ABORT) {
        drop_open(v);
    } else {
        said = read_on(v, &job, chunk_bytes);
    }
    drop_first(v);
    return said;
}

/* ---- when it goes wrong ---- */

void saver_refuse(struct saver *v)
{
    uint32_t kept = 0;
    drop_open(v);
    for (uint32_t i = 0; i < v->jobs_count; i++) {
        if (v->jobs[i].kind == EFFECT_READ_CHECKPOINT)
            v->jobs[kept++] = v->jobs[i];
        else
            blob_unref(v->jobs[i].bytes);
    }
    v->jobs_count = kept;
    v->refusing = true;
}

void saver_accept_again(struct saver *v)
{
    v->refusing = false;
}

void saver_crash(struct saver *v, bool busy, struct prng *random)
{
    if (busy && v->jobs_count > 0 && v->jobs[0].kind == EFFECT_CHECKPOINT_COMMIT &&
        prng_chance(random, 1, 2))
        commit(v, &v->jobs[0]);
    while (v->jobs_count > 0)
        drop_first(v);
    drop_open(v);
    for (uint32_t i = 0; i < CHECKPOINT_READERS_MAX; i++)
        close_reader(&v->readers[i]);
    v->refusing = false;
}

void saver_lose(struct saver *v)
{
    image_drop(v->durable);
    v->durable = NULL;
}

bool saver_rot(struct saver *v, struct prng *random)
{
    if (v->durable == NULL || v->durable->records_count == 0 || v->durable->rotten > 0)
        return false;
    struct avl_node *at = avl_first(&v->durable->records);
    for (uint64_t skip = prng_below(random, v->durable->records_count); skip > 0; skip--)
        at = avl_next(at);
    rot(v->durable, container_of(at, struct image_record, by_key)->key);
    return true;
}

bool saver_is_rotten(const struct saver *v)
{
    return v->durable != NULL && v->durable->rotten > 0;
}

uint64_t saver_slot(const struct saver *v)
{
    return v->durable == NULL ? 0 : v->durable->slot;
}

void saver_release(struct saver *v)
{
    saver_crash(v, false, NULL);
    saver_lose(v);
    free(v->jobs);
    free(v->chunks);
    *v = (struct saver){0};
}
