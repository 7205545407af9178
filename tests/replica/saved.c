/* saved.c - see saved.h. */
#include "tests/replica/saved.h"

#include <stdlib.h>
#include <string.h>

#include "coordd/replica/chunk.h"
#include "libcoord/base/check.h"

static void image_release(struct image *image)
{
    for (uint32_t i = 0; i < image->count; i++) {
        buffer_release(&image->records[i].key);
        buffer_release(&image->records[i].value);
    }
    buffer_release(&image->about);
    memset(image, 0, sizeof *image);
}

static void image_free(struct image *image)
{
    if (image != NULL)
        image_release(image);
    free(image);
}

/* Where the key stands, or would. */
static uint32_t place_of(const struct image *image, struct slice key, bool *ret_there)
{
    uint32_t at = 0;
    int order = 1;

    while (at < image->count &&
           (order = slice_compare(buffer_slice(&image->records[at].key), key)) < 0)
        at++;
    *ret_there = at < image->count && order == 0;
    return at;
}

static void image_change(struct image *image, const struct chunk_record *change)
{
    bool there;
    uint32_t at = place_of(image, change->key, &there);
    struct saved_record *r = &image->records[at];

    if (there) {
        buffer_release(&r->key);
        buffer_release(&r->value);
        image->count--;
        memmove(r, r + 1, (image->count - at) * sizeof *r);
    }
    if (change->removed)
        return;
    CHECK(image->count < SAVED_RECORDS_MAX);
    memmove(r + 1, r, (image->count - at) * sizeof *r);
    image->count++;
    memset(r, 0, sizeof *r);
    buffer_put(&r->key, change->key.data, change->key.length);
    buffer_put(&r->value, change->value.data, change->value.length);
}

static struct image *image_copy(const struct image *from)
{
    struct image *image = check_calloc(1, sizeof *image);

    image->slot = from->slot;
    buffer_put(&image->about, from->about.data, from->about.length);
    for (uint32_t i = 0; i < from->count; i++) {
        struct chunk_record r = {.key = buffer_slice(&from->records[i].key),
                                 .value = buffer_slice(&from->records[i].value)};

        image_change(image, &r);
    }
    return image;
}

static void write_down(struct saved *s, struct slice chunk)
{
    struct reader reader = reader_of(chunk);
    struct chunk_record record;

    CHECK(s->writing != NULL);
    while (chunk_next(&reader, &record))
        image_change(s->writing, &record);
    CHECK(reader_done(&reader));
}

static void commit(struct saved *s, uint64_t slot, struct slice about)
{
    s->writing->slot = slot;
    buffer_clear(&s->writing->about);
    buffer_put(&s->writing->about, about.data, about.length);
    image_release(&s->durable);
    s->durable = *s->writing;
    free(s->writing);
    s->writing = NULL;
}

static struct saved_reader *reader_with(struct saved *s, uint64_t token)
{
    for (uint32_t i = 0; i < CHECKPOINT_READERS_MAX; i++)
        if (s->readers[i].token == token)
            return &s->readers[i];
    return NULL;
}

static void stop_reading(struct saved_reader *reader)
{
    image_free(reader->image);
    *reader = (struct saved_reader){0};
}

static void read_on(struct saved *s, const struct effect *e, struct replica_event *ret,
                    struct buffer *chunk)
{
    struct saved_reader *reader = reader_with(s, e->token);

    if (e->bytes_max == 0) {
        if (reader != NULL)
            stop_reading(reader);
        return;
    }
    if (reader == NULL) {
        reader = reader_with(s, 0);
        CHECK(reader != NULL);
        reader->token = e->token;
        reader->image = image_copy(&s->durable);
    }
    buffer_clear(chunk);
    while (reader->next < reader->image->count && chunk->length < SAVED_CHUNK_BYTES) {
        const struct saved_record *r = &reader->image->records[reader->next++];

        chunk_put(chunk, buffer_slice(&r->key), buffer_slice(&r->value));
    }
    ret->kind = REPLICA_EVENT_CHECKPOINT_READ;
    ret->token = e->token;
    ret->slot = reader->image->slot;
    ret->bytes = buffer_slice(chunk);
    ret->about = buffer_slice(&reader->image->about);
    ret->last = reader->next == reader->image->count;
}

bool saved_do(struct saved *s, const struct effect *e, struct replica_event *ret_event,
              struct buffer *chunk)
{
    memset(ret_event, 0, sizeof *ret_event);
    ret_event->kind = REPLICA_EVENT_TIME;
    if (e->kind == EFFECT_CHECKPOINT_BEGIN) {
        CHECK(s->writing == NULL);
        s->writing = e->whole ? check_calloc(1, sizeof *s->writing) : image_copy(&s->durable);
    } else if (e->kind == EFFECT_CHECKPOINT_PUT) {
        write_down(s, blob_slice(e->bytes));
        ret_event->kind = REPLICA_EVENT_CHECKPOINT_TAKEN;
    } else if (e->kind == EFFECT_CHECKPOINT_COMMIT) {
        commit(s, e->last_slot, blob_slice(e->bytes));
        ret_event->kind = REPLICA_EVENT_CHECKPOINTED;
        ret_event->slot = e->last_slot;
    } else if (e->kind == EFFECT_CHECKPOINT_ABORT) {
        image_free(s->writing);
        s->writing = NULL;
    } else if (e->kind == EFFECT_READ_CHECKPOINT) {
        read_on(s, e, ret_event, chunk);
    } else {
        return false;
    }
    return true;
}

void saved_crash(struct saved *s)
{
    image_free(s->writing);
    s->writing = NULL;
    for (uint32_t i = 0; i < CHECKPOINT_READERS_MAX; i++)
        stop_reading(&s->readers[i]);
}

void saved_release(struct saved *s)
{
    saved_crash(s);
    image_release(&s->durable);
}
