/* membership.c - see membership.h. */
#include "coordd/paxos/membership.h"

#include "libcoord/base/check.h"

int membership_index(const struct membership *m, uint32_t id)
{
    for (uint32_t i = 0; i < m->quorums.members_count; i++)
        if (m->ids[i] == id)
            return (int)i;
    return -1;
}

uint32_t membership_all(const struct membership *m)
{
    return (1u << m->quorums.members_count) - 1;
}

uint32_t membership_others(const struct membership *m)
{
    return membership_all(m) & ~(1u << m->self);
}

bool membership_hear(struct membership *m, uint32_t index, uint64_t incarnation)
{
    if (m->bound[index] != 0 && m->bound[index] != incarnation)
        return false;
    m->heard[index] = incarnation;
    return true;
}

bool membership_can_found(const struct membership *m)
{
    if (m->founded_slot != 0)
        return false;
    for (uint32_t i = 0; i < m->quorums.members_count; i++)
        if (m->heard[i] == 0)
            return false;
    return true;
}

static void put_binding(const struct membership *m, const uint64_t incarnations[], struct buffer *b)
{
    buffer_put_u32(b, m->quorums.members_count);
    for (uint32_t i = 0; i < m->quorums.members_count; i++) {
        buffer_put_u32(b, m->ids[i]);
        buffer_put_u64(b, incarnations[i]);
    }
    buffer_put_u32(b, m->quorums.prepare);
    buffer_put_u32(b, m->quorums.accept);
}

struct blob *membership_encode(const struct membership *m)
{
    struct buffer b = BUFFER_INIT;
    struct blob *value;

    put_binding(m, m->heard, &b);
    value = blob_copy(buffer_slice(&b));
    buffer_release(&b);
    return value;
}

void membership_save(const struct membership *m, struct buffer *bytes)
{
    buffer_put_u8(bytes, m->open);
    buffer_put_u64(bytes, m->founded_slot);
    if (m->founded_slot != 0)
        put_binding(m, m->bound, bytes);
}

const char *membership_load(struct membership *m, struct slice bytes)
{
    struct reader r = reader_of(bytes);
    uint8_t open = reader_u8(&r);
    uint64_t slot = reader_u64(&r);
    const char *why = NULL;

    if (r.failed || open > 1 || (slot == 0 && (open == 1 || r.left > 0)))
        return "what the checkpoint says of the members is damaged";
    if (slot != 0)
        why = membership_found(m, slot, reader_bytes(&r, r.left));
    if (why == NULL)
        m->open = open == 1;
    return why;
}

const char *membership_found(struct membership *m, uint64_t slot, struct slice value)
{
    struct reader r = reader_of(value);
    uint64_t bound[PAXOS_MEMBERS_MAX] = {0};
    uint32_t count = reader_u32(&r);

    if (m->founded_slot != 0)
        return NULL; /* a second leader proposed it as well; the first binds */
    if (count != m->quorums.members_count)
        return "the cell was founded with another number of members than configured here";
    for (uint32_t i = 0; i < count; i++) {
        if (reader_u32(&r) != m->ids[i])
            return "the cell was founded with other member ids than configured here";
        bound[i] = reader_u64(&r);
    }
    if (reader_u32(&r) != m->quorums.prepare || reader_u32(&r) != m->quorums.accept)
        return "the cell was founded with other quorums than configured here";
    if (!reader_done(&r))
        return "the founding entry is damaged";
    if (bound[m->self] != m->heard[m->self])
        return "the cell knows this member by another data directory: restore that directory, "
               "or leave this member down; the cell runs on without it";
    for (uint32_t i = 0; i < count; i++)
        m->bound[i] = bound[i];
    m->founded_slot = slot;
    return NULL;
}
