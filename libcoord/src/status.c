/* status.c - what each member of the cell says of itself.
 *
 * Every known address is asked at once; members that only an answer names are
 * asked in a second round. Who does not answer is listed as unreachable, under
 * the address that its peers know. */
#include <stdlib.h>
#include <string.h>

#include "libcoord/base/check.h"
#include "libcoord/src/inner.h"
#include "libcoord/src/reason.h"

enum { ROUNDS = 2 };

struct survey {
    struct address_list asked;
    coord_status *status;
    char why[CLIENT_SESSION_ENDPOINTS_MAX][DETAIL_BYTES]; /* of each asked; "" if it answered */
    bool awaited_by_leader;
};

static coord_member *member_of(coord_status *s, uint32_t id)
{
    for (size_t i = 0; i < s->members_count; i++)
        if (s->members[i].id == id)
            return &s->members[i];
    s->members = check_realloc(s->members, (s->members_count + 1) * sizeof *s->members);
    coord_member *m = &s->members[s->members_count++];
    *m = (coord_member){.id = id};
    return m;
}

static void set_text(char **text, const char *value)
{
    free(*text);
    *text = check_strdup(value);
}

/* Who leads knows best whom the founding of the cell waits for. */
static void note_awaited(struct survey *survey, const Coord__V1__MemberStatus *from)
{
    coord_status *s = survey->status;
    bool leads = strcmp(from->role, "leader") == 0;
    if (survey->awaited_by_leader || (s->awaited_count > 0 && !leads))
        return;
    survey->awaited_by_leader = leads;
    s->awaited = check_realloc(s->awaited, (from->n_awaited + 1) * sizeof *s->awaited);
    for (size_t i = 0; i < from->n_awaited; i++)
        s->awaited[i] = from->awaited[i];
    s->awaited_count = from->n_awaited;
}

static void note_member(struct survey *survey, const Coord__V1__MemberStatus *from)
{
    coord_status *s = survey->status;
    note_awaited(survey, from);
    coord_member *m = member_of(s, from->id);
    set_text(&m->address, from->address);
    set_text(&m->role, from->role);
    set_text(&m->version, from->version);
    m->pid = from->pid;
    m->ballot = from->ballot;
    m->applied = from->applied;
    m->chosen = from->chosen;
    m->revision = from->revision;
    m->sessions_count = from->sessions_count;
    m->nodes_count = from->nodes_count;
    m->compared = from->compared;
    m->crowded = from->crowded;
    if (from->state_hash.len == sizeof m->state_hash / 2)
        hex_encode(from->state_hash.data, from->state_hash.len, m->state_hash);
    if (from->cell.len == CELL_ID_BYTES)
        hex_encode(from->cell.data, from->cell.len, s->cell);
    set_text(&s->cell_name, from->cell_name);
    for (size_t i = 0; i < from->n_members; i++) {
        coord_member *other = member_of(s, from->members[i]->id);
        if (other->address == NULL)
            set_text(&other->address, from->members[i]->address);
    }
}

static void note_reply(struct survey *survey, uint32_t place, struct unary_reply *reply)
{
    Coord__V1__Answer *a = NULL;
    if (reply->answered)
        a = coord__v1__answer__unpack(NULL, reply->answer.length, reply->answer.data);
    if (a != NULL && a->body_case == COORD__V1__ANSWER__BODY_MEMBER) {
        note_member(survey, a->member);
    } else {
        (void)memcpy(survey->why[place], reply->why, sizeof survey->why[place]);
    }
    coord__v1__answer__free_unpacked(a, NULL);
    buffer_release(&reply->answer);
}

/* Asks those in the list from `first` on. */
static void ask(struct coord_client *client, struct survey *survey, uint32_t first,
                int64_t timeout_ms)
{
    Coord__V1__GetStatus status = COORD__V1__GET_STATUS__INIT;
    Coord__V1__Read read = COORD__V1__READ__INIT;
    Coord__V1__ExecuteRequest request = COORD__V1__EXECUTE_REQUEST__INIT;
    read.op_case = COORD__V1__READ__OP_STATUS;
    read.status = &status;
    request.request_case = COORD__V1__EXECUTE_REQUEST__REQUEST_READ;
    request.read = &read;

    struct unary_reply replies[CLIENT_SESSION_ENDPOINTS_MAX];
    size_t count = survey->asked.count - first;
    for (size_t i = 0; i < count; i++)
        replies[i] = (struct unary_reply){.address = survey->asked.list[first + i]};
    unary_all(client, &request, replies, count, timeout_ms);
    for (size_t i = 0; i < count; i++)
        note_reply(survey, first + (uint32_t)i, &replies[i]);
}

static int by_id(const void *a, const void *b)
{
    const coord_member *x = a, *y = b;
    return x->id < y->id ? -1 : x->id > y->id;
}

static const char *why_unreached(const struct survey *survey, const coord_member *m)
{
    for (uint32_t i = 0; i < survey->asked.count; i++)
        if (strcmp(survey->asked.list[i], m->address) == 0)
            return survey->why[i];
    return "";
}

static void conclude(struct survey *survey)
{
    coord_status *s = survey->status;
    uint64_t highest = 0;
    for (size_t i = 0; i < s->members_count; i++) {
        coord_member *m = &s->members[i];
        set_text(&m->unreached, m->role == NULL ? why_unreached(survey, m) : "");
        if (m->role == NULL)
            set_text(&m->role, "unreachable");
        if (m->version == NULL)
            set_text(&m->version, "");
        if (m->revision > highest)
            highest = m->revision;
    }
    s->revision = highest;
    uint64_t ballot = 0; /* one that was deposed may not know yet */
    for (size_t i = 0; i < s->members_count; i++) {
        const coord_member *m = &s->members[i];
        if (strcmp(m->role, "leader") == 0 && m->ballot >= ballot) {
            ballot = m->ballot;
            s->leader = m->id;
            s->revision = m->revision;
        }
    }
    if (s->members_count > 0)
        qsort(s->members, s->members_count, sizeof *s->members, by_id);
}

coord_error coord_status_get(coord_client *client, int64_t deadline_ms, coord_status **ret_status)
{
    detail_clear();
    if (client == NULL || ret_status == NULL)
        return fail(COORD_ERR_INVALID, "%s: is NULL", client == NULL ? "client" : "ret_status");
    coord_error e = check_deadline(deadline_ms);
    if (e != COORD_OK)
        return e;
    int64_t wait_ms =
        deadline_ms == COORD_FOREVER || deadline_ms > STATUS_WAIT_MS ? STATUS_WAIT_MS : deadline_ms;
    struct survey survey = {.asked = client->endpoints,
                            .status = check_calloc(1, sizeof(coord_status))};
    uint32_t first = 0;
    for (int round = 0; round < ROUNDS && first < survey.asked.count; round++) {
        ask(client, &survey, first, wait_ms);
        first = survey.asked.count;
        for (size_t i = 0; i < survey.status->members_count; i++)
            if (survey.status->members[i].role == NULL)
                (void)address_list_add(&survey.asked, survey.status->members[i].address);
    }
    conclude(&survey);
    if (survey.status->members_count == 0) {
        char why[DETAIL_BYTES] = "";
        for (uint32_t i = 0; i < survey.asked.count; i++)
            reason_add(why, survey.asked.list[i], survey.why[i]);
        coord_status_free(survey.status);
        return fail(COORD_ERR_UNAVAILABLE, "%s", why);
    }
    *ret_status = survey.status;
    return COORD_OK;
}

void coord_status_free(coord_status *status)
{
    if (status == NULL)
        return;
    for (size_t i = 0; i < status->members_count; i++) {
        free(status->members[i].address);
        free(status->members[i].role);
        free(status->members[i].version);
        free(status->members[i].unreached);
    }
    free(status->members);
    free(status->awaited);
    free(status->cell_name);
    free(status);
}
