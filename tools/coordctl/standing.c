/* standing.c - see standing.h. */
#include "tools/coordctl/standing.h"

#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

bool standing_serves(const coord_status *status)
{
    return status->leader != 0 && status->awaited_count == 0;
}

__attribute__((format(printf, 2, 3))) static void add(char *text, const char *format, ...)
{
    size_t length = strlen(text);
    va_list list;
    va_start(list, format);
    vsnprintf(text + length, STANDING_BYTES - length, format, list);
    va_end(list);
}

static bool is_reached(const coord_member *m)
{
    return strcmp(m->role, "unreachable") != 0;
}

static size_t reached_count(const coord_status *status)
{
    size_t count = 0;
    for (size_t i = 0; i < status->members_count; i++)
        count += is_reached(&status->members[i]);
    return count;
}

/* The members with the same reason as the one at `first`; nothing if that is another's turn. */
static void add_reason(const coord_status *status, size_t first, bool *is_begun, char *text)
{
    const char *why = status->members[first].unreached;
    for (size_t i = 0; i < first; i++)
        if (!is_reached(&status->members[i]) && strcmp(status->members[i].unreached, why) == 0)
            return;
    add(text, "%s%s: ", *is_begun ? "; " : "", why[0] != '\0' ? why : "not asked");
    *is_begun = true;
    for (size_t i = first; i < status->members_count; i++) {
        const coord_member *m = &status->members[i];
        if (!is_reached(m) && strcmp(m->unreached, why) == 0)
            add(text, "%s%s", i > first ? ", " : "", m->address);
    }
}

static void add_unreached(const coord_status *status, size_t reached, char *text)
{
    bool is_begun = false;
    add(text, "%zu of %zu servers cannot be reached (", status->members_count - reached,
        status->members_count);
    for (size_t i = 0; i < status->members_count; i++)
        if (!is_reached(&status->members[i]))
            add_reason(status, i, &is_begun, text);
    add(text, "); ");
}

static const char *address_of(const coord_status *status, uint32_t id)
{
    for (size_t i = 0; i < status->members_count; i++)
        if (status->members[i].id == id)
            return status->members[i].address;
    return "";
}

static void add_awaited(const coord_status *status, char *text)
{
    add(text, "the cell is not founded yet: each server must be up once, and it waits for ");
    for (size_t i = 0; i < status->awaited_count; i++)
        add(text, "%s%" PRIu32 " (%s)", i > 0 ? ", " : "", status->awaited[i],
            address_of(status, status->awaited[i]));
}

void standing_text(const coord_status *status, char text[STANDING_BYTES])
{
    size_t reached = reached_count(status);
    text[0] = '\0';
    if (reached < status->members_count)
        add_unreached(status, reached, text);
    if (status->awaited_count > 0)
        add_awaited(status, text);
    else if (status->leader != 0)
        add(text, "server %" PRIu32 " (%s) leads, as they say", status->leader,
            address_of(status, status->leader));
    else if (reached <= status->members_count / 2)
        add(text, "%zu answered, and nobody leads: that takes %zu, a majority", reached,
            status->members_count / 2 + 1);
    else
        add(text, "%zu answered, and nobody leads: they are electing, or do not reach each other",
            reached);
}

void standing_crowded(const coord_status *status, char text[STANDING_BYTES])
{
    size_t count = 0;
    text[0] = '\0';
    for (size_t i = 0; i < status->members_count; i++)
        if (status->members[i].crowded)
            add(text, "%s%" PRIu32, count++ > 0 ? ", " : "server ", status->members[i].id);
    if (count > 0)
        add(text, " takes nothing new until it has got the state of another: it holds all of the "
                  "log that is kept without one");
}
