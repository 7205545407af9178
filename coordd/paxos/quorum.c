/* quorum.c - see quorum.h. */
#include "coordd/paxos/quorum.h"

#include "libcoord/base/check.h"

bool quorums_init(struct quorums *q, uint32_t members_count, uint32_t prepare, uint32_t accept)
{
    uint32_t majority = members_count / 2 + 1;

    q->members_count = members_count;
    q->prepare = prepare == 0 ? majority : prepare;
    q->accept = accept == 0 ? majority : accept;
    return members_count > 0 && q->prepare <= members_count && q->accept <= members_count &&
           q->prepare + q->accept > members_count;
}

static uint32_t bits(uint32_t mask)
{
    uint32_t count = 0;

    for (; mask != 0; mask &= mask - 1)
        count++;
    return count;
}

bool quorum_prepared(const struct quorums *q, uint32_t members_mask)
{
    return bits(members_mask) >= q->prepare;
}

bool quorum_accepted(const struct quorums *q, uint32_t members_mask)
{
    return bits(members_mask) >= q->accept;
}

/* With n of at most 16 the plain search is faster than sorting: the answer is
 * the largest element that at least `accept` elements reach. */
int64_t quorum_accepted_since(const struct quorums *q, const int64_t *each)
{
    int64_t best = INT64_MIN;

    for (uint32_t i = 0; i < q->members_count; i++) {
        uint32_t reach = 0;

        for (uint32_t j = 0; j < q->members_count; j++)
            reach += each[j] >= each[i];
        if (reach >= q->accept && each[i] > best)
            best = each[i];
    }
    CHECK(best != INT64_MIN || q->members_count > 0);
    return best;
}

uint64_t quorum_accepted_through(const struct quorums *q, const uint64_t *each)
{
    uint64_t best = 0;

    for (uint32_t i = 0; i < q->members_count; i++) {
        uint32_t reach = 0;

        for (uint32_t j = 0; j < q->members_count; j++)
            reach += each[j] >= each[i];
        if (reach >= q->accept && each[i] > best)
            best = each[i];
    }
    return best;
}
