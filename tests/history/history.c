/* history.c - see history.h. */
#include "tests/history/history.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "libcoord/base/check.h"
#include "libcoord/base/hash.h"

/* ---- strings ---- */

struct string {
    uint32_t number;
    char text[];
};

struct history_strings {
    struct string **slots;  /* owned, as each is; open addressing; NULL: free */
    size_t count, capacity; /* capacity is a power of two */
};

static size_t slot_of(const struct history_strings *s, const char *text)
{
    size_t at = hash_bytes(0, slice_of_string(text)) & (s->capacity - 1);
    while (s->slots[at] != NULL && strcmp(s->slots[at]->text, text) != 0)
        at = (at + 1) & (s->capacity - 1);
    return at;
}

static void grow_strings(struct history_strings *s)
{
    struct history_strings old = *s;
    s->capacity = old.capacity == 0 ? 256 : 2 * old.capacity;
    s->slots = check_calloc(s->capacity, sizeof(s->slots[0]));
    for (size_t i = 0; i < old.capacity; i++)
        if (old.slots[i] != NULL)
            s->slots[slot_of(s, old.slots[i]->text)] = old.slots[i];
    free(old.slots);
}

const char *history_intern(struct history *h, const char *text)
{
    struct history_strings *s = h->strings;
    if (text == NULL)
        return NULL;
    if (2 * (s->count + 1) > s->capacity)
        grow_strings(s);
    size_t at = slot_of(s, text);
    if (s->slots[at] == NULL) {
        size_t size = strlen(text) + 1;
        s->slots[at] = check_malloc(sizeof(struct string) + size);
        s->slots[at]->number = (uint32_t)s->count++;
        memcpy(s->slots[at]->text, text, size);
    }
    return s->slots[at]->text;
}

const char *history_known(const struct history *h, const char *text)
{
    const struct history_strings *s = h->strings;
    const struct string *found = s->count == 0 ? NULL : s->slots[slot_of(s, text)];
    return found == NULL ? NULL : found->text;
}

uint32_t history_number(const char *own)
{
    const struct string *s = (const void *)(own - offsetof(struct string, text));
    return s->number;
}

size_t history_strings_count(const struct history *h)
{
    return h->strings->count;
}

static void clear_strings(struct history_strings *s)
{
    for (size_t i = 0; s->count > 0 && i < s->capacity; i++) {
        free(s->slots[i]);
        s->slots[i] = NULL;
    }
    s->count = 0;
}

/* ---- the lists ---- */

static void *room(void *list, size_t count, size_t *capacity, size_t size)
{
    if (count < *capacity)
        return list;
    *capacity = *capacity == 0 ? 64 : 2 * *capacity;
    return check_realloc(list, *capacity * size);
}

#define ROOM(list, count, capacity) \
    ((list) = room((list), (count), &(capacity), sizeof((list)[0])), &(list)[(count)++])

void history_init(struct history *h)
{
    memset(h, 0, sizeof(*h));
    h->strings = check_calloc(1, sizeof(*h->strings));
}

void history_clear(struct history *h)
{
    for (size_t i = 0; i < h->calls_count; i++)
        free(h->calls[i].parts);
    h->calls_count = h->beliefs_count = h->losses_count = 0;
    h->sessions_count = h->events_count = 0;
    clear_strings(h->strings);
}

void history_release(struct history *h)
{
    history_clear(h);
    free(h->strings->slots);
    free(h->strings);
    free(h->calls);
    free(h->beliefs);
    free(h->losses);
    free(h->sessions);
    free(h->events);
    memset(h, 0, sizeof(*h));
}

static void own_ask(struct history *h, struct history_ask *ask)
{
    ask->path = history_intern(h, ask->path);
    ask->value = history_intern(h, ask->value);
    ask->guard.path = history_intern(h, ask->guard.path);
}

size_t history_invoke(struct history *h, const struct history_call *call)
{
    CHECK(call->parts_count <= HISTORY_PARTS_MAX);
    struct history_call *own = ROOM(h->calls, h->calls_count, h->calls_capacity);
    *own = *call;
    own_ask(h, &own->ask);
    own->parts = NULL;
    if (call->parts_count > 0) {
        size_t size = call->parts_count * sizeof(call->parts[0]);
        own->parts = memcpy(check_malloc(size), call->parts, size);
        for (uint32_t i = 0; i < call->parts_count; i++)
            own_ask(h, &own->parts[i]);
    }
    own->returned_ns = HISTORY_NEVER;
    own->error = ERR_OK;
    own->not_applied = false;
    own->told = (struct history_told){0};
    return h->calls_count - 1;
}

void history_return(struct history *h, size_t place, const struct history_call *answer)
{
    CHECK(place < h->calls_count);
    struct history_call *own = &h->calls[place];
    own->returned_ns = answer->returned_ns;
    own->error = answer->error;
    own->not_applied = answer->not_applied;
    own->told = answer->told;
    own->told.value = history_intern(h, answer->told.value);
    own->told.path = history_intern(h, answer->told.path);
}

void history_believe(struct history *h, const struct history_belief *belief)
{
    struct history_belief *own = ROOM(h->beliefs, h->beliefs_count, h->beliefs_capacity);
    *own = *belief;
    own->path = history_intern(h, belief->path);
}

void history_lose(struct history *h, const struct history_loss *loss)
{
    struct history_loss *own = ROOM(h->losses, h->losses_count, h->losses_capacity);
    *own = *loss;
    own->path = history_intern(h, loss->path);
}

void history_session(struct history *h, const struct history_session *session)
{
    *ROOM(h->sessions, h->sessions_count, h->sessions_capacity) = *session;
}

void history_event(struct history *h, const struct history_event *event)
{
    struct history_event *own = ROOM(h->events, h->events_count, h->events_capacity);
    *own = *event;
    own->path = history_intern(h, event->path);
    own->value = history_intern(h, event->value);
}

/* ---- what it means ---- */

static bool is_acquire(enum history_op op)
{
    return op == HISTORY_ACQUIRE || op == HISTORY_TRY;
}

enum history_outcome history_outcome(const struct history_call *call)
{
    if (call->returned_ns == HISTORY_NEVER)
        return HISTORY_UNKNOWN;
    switch (call->error) {
    case ERR_OK:
        return HISTORY_DONE;
    case ERR_NO_NODE:
    case ERR_NODE_EXISTS:
    case ERR_NOT_EMPTY:
    case ERR_EPHEMERAL:
    case ERR_BAD_GENERATION:
    case ERR_INSTANCE_GONE:
    case ERR_STALE_SEQUENCER:
    case ERR_LOCK_HELD:
    case ERR_NOT_HELD:
        return HISTORY_REFUSED;
    case ERR_TIMEOUT:
    case ERR_CANCELLED:
        /* It may have been granted and given back meanwhile. */
        return is_acquire(call->ask.op) && !call->not_applied ? HISTORY_UNKNOWN : HISTORY_NOTHING;
    case ERR_MAYBE_APPLIED:
    case ERR_JEOPARDY:
    case ERR_EXPIRED:
    case ERR_INTERNAL:
        return call->not_applied ? HISTORY_NOTHING : HISTORY_UNKNOWN;
    default:
        return HISTORY_NOTHING;
    }
}

void history_value(const void *content, size_t length, char ret[HISTORY_VALUE_BYTES + 1])
{
    bool plain = length <= HISTORY_VALUE_BYTES && (length == 0 || *(const char *)content != '#');
    if (plain && (length == 0 || memchr(content, 0, length) == NULL)) {
        if (length > 0)
            memcpy(ret, content, length);
        ret[length] = '\0';
        return;
    }
    snprintf(ret, HISTORY_VALUE_BYTES + 1, "#%zu:%016" PRIx64, length,
             hash_bytes(0, slice_of(content, length)));
}

static const char *const op_names[HISTORY_OPS] = {
    [HISTORY_NONE] = "none",
    [HISTORY_GET] = "get",
    [HISTORY_STAT] = "stat",
    [HISTORY_PUT] = "put",
    [HISTORY_CREATE] = "create",
    [HISTORY_DELETE] = "delete",
    [HISTORY_TRANSACTION] = "transaction",
    [HISTORY_EXISTS] = "exists",
    [HISTORY_ABSENT] = "absent",
    [HISTORY_GENERATION] = "generation",
    [HISTORY_ACQUIRE] = "acquire",
    [HISTORY_TRY] = "try",
    [HISTORY_RELEASE] = "release",
    [HISTORY_FORCE] = "force",
    [HISTORY_CHECK] = "check",
    [HISTORY_WATCH] = "watch",
    [HISTORY_UNWATCH] = "unwatch",
    [HISTORY_OPEN] = "open",
    [HISTORY_CLOSE] = "close",
    [HISTORY_KILL] = "kill",
};

const char *history_op_name(enum history_op op)
{
    return (unsigned)op < HISTORY_OPS ? op_names[op] : "none";
}

const char *history_event_name(enum history_event_kind kind)
{
    static const char *const names[] = {
        "none",      "created",     "content",       "deleted", "lock-held",
        "lock-free", "child-added", "child-removed", "told",    "resync",
    };
    return (unsigned)kind < sizeof(names) / sizeof(names[0]) ? names[kind] : "none";
}

const char *history_session_name(enum history_session_state state)
{
    static const char *const names[] = {"none", "opened", "safe", "jeopardy", "expired", "closed"};
    return (unsigned)state < sizeof(names) / sizeof(names[0]) ? names[state] : "none";
}
