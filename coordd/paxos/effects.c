/* effects.c - see effects.h. */
#include "coordd/paxos/effects.h"

#include <stdlib.h>
#include <string.h>

#include "libcoord/base/check.h"

void paxos_effects_init(struct paxos_effects *e)
{
    memset(e, 0, sizeof *e);
}

void paxos_effects_clear(struct paxos_effects *e)
{
    for (uint32_t i = 0; i < e->persists_count; i++)
        blob_unref(e->persists[i].entry.value);
    for (uint32_t i = 0; i < e->sends_count; i++)
        message_release(&e->sends[i].message);
    e->persists_count = e->sends_count = e->reads_count = e->notes_count = 0;
    e->halt = NULL;
}

void paxos_effects_release(struct paxos_effects *e)
{
    paxos_effects_clear(e);
    free(e->persists);
    free(e->sends);
    free(e->reads);
    memset(e, 0, sizeof *e);
}

/* The address of a new, zeroed element at the end of a growing array. */
static void *append(void **list, uint32_t *count, uint32_t *capacity, size_t size)
{
    void *element;

    if (*count == *capacity) {
        *capacity = *capacity == 0 ? 8 : *capacity * 2;
        *list = check_realloc(*list, *capacity * size);
    }
    element = (char *)*list + (size_t)*count * size;
    (*count)++;
    memset(element, 0, size);
    return element;
}

struct paxos_persist *paxos_effects_persist(struct paxos_effects *e)
{
    void *list = e->persists;
    struct paxos_persist *p =
        append(&list, &e->persists_count, &e->persists_capacity, sizeof *e->persists);

    e->persists = list;
    return p;
}

struct message *paxos_effects_send(struct paxos_effects *e, uint32_t to_mask,
                                   enum message_kind kind)
{
    void *list = e->sends;
    struct paxos_send *s = append(&list, &e->sends_count, &e->sends_capacity, sizeof *e->sends);

    e->sends = list;
    s->to_mask = to_mask;
    s->message.kind = kind;
    return &s->message;
}

struct paxos_read *paxos_effects_read(struct paxos_effects *e)
{
    void *list = e->reads;
    struct paxos_read *r = append(&list, &e->reads_count, &e->reads_capacity, sizeof *e->reads);

    e->reads = list;
    return r;
}

void paxos_effects_note(struct paxos_effects *e, enum paxos_note_kind kind, uint32_t member)
{
    if (e->notes_count < PAXOS_NOTES_MAX)
        e->notes[e->notes_count++] = (struct paxos_note){.kind = kind, .member = member};
}
