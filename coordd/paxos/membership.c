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

struct blob *membership_encode(const struct membership *m)
{
    struct buffer b = BUFFER_INIT;
    struct blob *value;

    buffer_put_u32(&b, m->quorums.members_count);
    for (uint32_t i = 0; i < m->quorums.members_count; i++) {
        buffer_put_u32(&b, m->ids[i]);
        buffer_put_u64(&b, m->heard[i]);
    }
    buffer_put_u32(&b, m->quorums.prepare);
    buffer_put_u32(&b, m->quorums.accept);
    value = blob_copy(buffer_slice(&b));
    buffer_release(&b);
    return value;
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
