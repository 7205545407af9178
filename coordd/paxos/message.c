/* message.c - see message.h. */
#include "coordd/paxos/message.h"

#include <stdlib.h>

#include "libcoord/base/check.h"

void message_release(struct message *m)
{
    for (uint32_t i = 0; i < m->entries_count; i++)
        blob_unref(m->entries[i].value);
    free(m->entries);
    m->entries = NULL;
    m->entries_count = 0;
    blob_unref(m->records);
    blob_unref(m->about);
    m->records = m->about = NULL;
}

bool message_add(struct message *m, const struct log_entry *entry)
{
    uint64_t bytes = entry->value->length;

    if (m->entries_count == MESSAGE_ENTRIES_MAX)
        return false;
    for (uint32_t i = 0; i < m->entries_count; i++)
        bytes += m->entries[i].value->length;
    if (m->entries_count > 0 && bytes > MESSAGE_VALUES_BYTES_MAX)
        return false;
    /* Doubles at the powers of two. */
    if ((m->entries_count & (m->entries_count - 1)) == 0)
        m->entries = check_realloc(m->entries,
                                   sizeof *m->entries *
                                       (m->entries_count == 0 ? 1 : m->entries_count * (size_t)2));
    m->entries[m->entries_count] = *entry;
    blob_ref(entry->value);
    m->entries_count++;
    return true;
}
