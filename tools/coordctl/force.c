/* force.c - unlock, resign, session kill, step-down: what only an operator does.
 *
 * None of it goes behind the holder's back: the cell passes on what was taken only
 * when the holder's library has let go or its lease has run out. So all of these
 * first say what they take, and then wait until it is done. */
#define _GNU_SOURCE
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "tools/coordctl/command.h"
#include "tools/coordctl/locks.h"
#include "tools/coordctl/memory.h"
#include "tools/coordctl/output.h"
#include "tools/coordctl/signals.h"
#include "tools/coordctl/units.h"

enum { LOOK_AGAIN_MS = 50, NS_PER_MS = 1000000 };

static void pause_a_moment(void)
{
    const struct timespec pause = {.tv_nsec = LOOK_AGAIN_MS * NS_PER_MS};
    nanosleep(&pause, NULL);
}

/* Whether the time of --wait, which began at start_ms, is over. */
static bool is_late(const struct arguments *a, int64_t start_ms)
{
    return a->wait_ms >= 0 && signals_now_ms() - start_ms >= a->wait_ms;
}

/* ---- unlock, resign ---- */

/* As the cell names it: without the cell's own name. */
static const char *inside_of(const char *path)
{
    if (strncmp(path, "/ls/", 4) != 0)
        return path;
    const char *rest = strchr(path + 4, '/');
    return rest != NULL ? rest : "/";
}

/* The lock of this very node is the first of its page, if it is held or waited for.
 * *ret is NULL if it is not. */
static coord_error look_at_lock(struct cell *cell, const char *path, coord_lock_listing **ret)
{
    coord_lock_listing *page;
    *ret = NULL;
    coord_error error = coord_locks(cell->session, path, NULL, 1, cell->deadline_ms, &page);
    if (error != COORD_OK)
        return error;
    if (page->count > 0 && strcmp(page->locks[0].path, inside_of(path)) == 0)
        *ret = page;
    else
        coord_lock_listing_free(page);
    return COORD_OK;
}

static bool is_held_by(const coord_lock_listing *page, const coord_claim *who)
{
    if (page == NULL)
        return false;
    const coord_lock_info *lock = &page->locks[0];
    for (size_t i = 0; i < lock->holders_count; i++) {
        const coord_claim *c = &lock->holders[i];
        if (c->session == who->session && c->handle == who->handle)
            return true;
    }
    return false;
}

/* One of those of `before` that hold it still; NULL: none does. */
static const coord_claim *one_that_stays(const coord_lock_listing *before,
                                         const coord_lock_listing *now)
{
    const coord_lock_info *lock = &before->locks[0];
    for (size_t i = 0; i < lock->holders_count; i++)
        if (is_held_by(now, &lock->holders[i]))
            return &lock->holders[i];
    return NULL;
}

static void say_holders(const char *path, const char *how, const coord_lock_listing *page)
{
    const coord_lock_info *lock = page != NULL ? &page->locks[0] : NULL;
    for (size_t i = 0; lock != NULL && i < lock->holders_count; i++) {
        printf("%s  %s  ", path, how);
        locks_print_claimant(&lock->holders[i]);
        printf(", generation %" PRIu64 "\n", lock->holders[i].generation);
    }
    (void)output_flush();
}

static coord_lock_info nobody;
static const coord_lock_listing of_nobody = {.locks = &nobody, .count = 1};

static void say_what_became(const struct arguments *a, const char *path,
                            const coord_lock_listing *before, const coord_lock_listing *now,
                            bool passed)
{
    const coord_lock_info *is = now != NULL ? &now->locks[0] : &nobody;
    if (a->format == OUTPUT_JSON) {
        cJSON *object = cJSON_CreateObject();
        json_add_text(object, "path", path);
        locks_claims_json(object, "taken_from", before->locks[0].holders,
                          before->locks[0].holders_count);
        json_add_bool(object, "passed_on", passed);
        json_add_u64(object, "delay_left_ms", is->delay_left_ms);
        locks_claims_json(object, "holders", is->holders, is->holders_count);
        json_finish(object, false, stdout);
    } else if (passed && is->holders_count > 0) {
        say_holders(path, "now held by ", now);
    } else if (passed && is->delay_left_ms > 0) {
        printf("%s  now nobody's, for %" PRIu64 "ms of delay\n", path, is->delay_left_ms);
    } else if (passed) {
        printf("%s  now free\n", path);
    }
}

/* After it was taken: until nobody of `before` has it. */
static int await_passing(struct cell *cell, const struct arguments *a, const char *path,
                         const coord_lock_listing *before)
{
    int64_t start_ms = signals_now_ms();
    coord_lock_listing *now = NULL;
    coord_error error;
    const coord_claim *stays;
    for (;;) {
        coord_lock_listing_free(now);
        error = look_at_lock(cell, path, &now);
        stays = error == COORD_OK ? one_that_stays(before, now) : NULL;
        if (stays == NULL || is_late(a, start_ms))
            break;
        pause_a_moment();
    }
    int code = error == COORD_OK ? EXIT_DONE : cell_refused(cell, path, error);
    if (error == COORD_OK)
        say_what_became(a, path, before, now, stays == NULL);
    if (stays != NULL) {
        fprintf(stderr,
                "coordctl: %s: taken, but session %" PRIu64
                " has not let go yet; its lease is the last that it keeps\n",
                path, stays->session);
        code = EXIT_REFUSED;
    }
    coord_lock_listing_free(now);
    return code;
}

static int take(struct cell *cell, const struct arguments *a, const char *path)
{
    coord_lock_listing *before;
    coord_error error = look_at_lock(cell, path, &before);
    if (error == COORD_OK)
        error = coord_unlock_force(cell->session, path, a->deadline_ms);
    int code = EXIT_DONE;
    if (error != COORD_OK) {
        code = cell_refused(cell, path, error);
    } else {
        /* If nobody had it when we looked, it was granted in between. */
        const coord_lock_listing *from = before != NULL ? before : &of_nobody;
        if (a->format != OUTPUT_JSON)
            say_holders(path, "was held by", from);
        code = await_passing(cell, a, path, from);
    }
    coord_lock_listing_free(before);
    return code;
}

int force_unlock(struct cell *cell, const struct arguments *a)
{
    int code = cell_need_session(cell);
    return code == EXIT_DONE ? take(cell, a, a->operands[0]) : code;
}

int force_resign(struct cell *cell, const struct arguments *a)
{
    const char *path = a->operands_count > 0 ? a->operands[0] : getenv("COORD_LOCK_PATH");
    const char *sequencer = a->if_sequencer;
    if (path == NULL || path[0] == '\0') {
        fputs("coordctl: resign: PATH is missing, and COORD_LOCK_PATH is not set\n", stderr);
        return EXIT_USAGE;
    }
    if (a->operands_count == 0 && sequencer == NULL)
        sequencer = getenv("COORD_LOCK_SEQUENCER");
    int code = cell_need_session(cell);
    if (code != EXIT_DONE)
        return code;
    void *value;
    size_t length;
    char *leading;
    coord_error error =
        coord_leader(cell->session, path, a->deadline_ms, &value, &length, &leading);
    if (error != COORD_OK)
        return cell_refused(cell, path, error);
    bool is_meant = sequencer == NULL || strcmp(sequencer, leading) == 0;
    coord_free(value);
    coord_free(leading);
    if (!is_meant)
        return cell_refused_with(cell, path, COORD_ERR_STALE_SEQUENCER, "another leads");
    return take(cell, a, path);
}

/* ---- session kill ---- */

/* *ret is NULL if there is none. */
static coord_error look_at_session(struct cell *cell, uint64_t id, coord_session_listing **ret)
{
    coord_session_listing *page;
    *ret = NULL;
    coord_error error = coord_sessions(cell->session, id - 1, 1, cell->deadline_ms, &page);
    if (error != COORD_OK)
        return error;
    if (page->count > 0 && page->sessions[0].session == id)
        *ret = page;
    else
        coord_session_listing_free(page);
    return COORD_OK;
}

static void say_ended(const struct arguments *a, uint64_t id, const coord_session_info *was,
                      bool ended)
{
    if (a->format == OUTPUT_JSON) {
        cJSON *object = cJSON_CreateObject();
        json_add_u64(object, "session", id);
        json_add_text(object, "host", was->host);
        json_add_u64(object, "pid", was->pid);
        json_add_bool(object, "ended", ended);
        json_finish(object, false, stdout);
    } else if (ended) {
        printf("session %" PRIu64 " (%s, pid %" PRIu32 ") has ended\n", id, was->host, was->pid);
    }
}

static int kill_session(struct cell *cell, const struct arguments *a, uint64_t id,
                        const char *subject)
{
    int64_t start_ms = signals_now_ms();
    coord_session_listing *was, *is = NULL;
    coord_error error = look_at_session(cell, id, &was);
    if (error == COORD_OK && was == NULL) {
        fprintf(stderr, "coordctl: %s: there is none\n", subject);
        return EXIT_REFUSED;
    }
    if (error == COORD_OK)
        error = coord_session_kill(cell->session, id, a->deadline_ms);
    while (error == COORD_OK) {
        coord_session_listing_free(is);
        error = look_at_session(cell, id, &is);
        if (is == NULL || is_late(a, start_ms))
            break;
        pause_a_moment();
    }
    int code = error == COORD_OK ? EXIT_DONE : cell_refused(cell, subject, error);
    if (error == COORD_OK)
        say_ended(a, id, &was->sessions[0], is == NULL);
    if (is != NULL) {
        fprintf(stderr,
                "coordctl: %s: killed, but it has not ended yet; it does in %" PRIu64
                "ms at the latest\n",
                subject, is->sessions[0].lease_left_ms);
        code = EXIT_REFUSED;
    }
    coord_session_listing_free(is);
    coord_session_listing_free(was);
    return code;
}

int force_session_kill(struct cell *cell, const struct arguments *a)
{
    uint64_t id;
    if (!units_parse_u64(a->operands[0], &id) || id == 0) {
        fprintf(stderr, "coordctl: session kill: ID '%.64s' is not a number from 1 on\n",
                a->operands[0]);
        return EXIT_USAGE;
    }
    int code = cell_need_session(cell);
    if (code != EXIT_DONE)
        return code;
    if (id == coord_session_id(cell->session)) {
        fputs("coordctl: session kill: that is the session of this very command\n", stderr);
        return EXIT_REFUSED;
    }
    char *subject = memory_join("session ", a->operands[0], "");
    code = kill_session(cell, a, id, subject);
    free(subject);
    return code;
}

/* ---- step-down ---- */

/* 0: nobody leads. */
static coord_error leader_now(struct cell *cell, uint32_t *ret)
{
    coord_status *status;
    coord_error error = coord_status_get(cell->client, cell->deadline_ms, &status);
    if (error != COORD_OK)
        return error;
    *ret = status->leader;
    coord_status_free(status);
    return COORD_OK;
}

static coord_error hand_over(struct cell *cell, const struct arguments *a, uint32_t *ret_before,
                             uint32_t *ret_now)
{
    int64_t end_ms = signals_now_ms() + a->deadline_ms;
    coord_error error = leader_now(cell, ret_before);
    while (error == COORD_OK && *ret_before == 0 && signals_now_ms() < end_ms) {
        pause_a_moment();
        error = leader_now(cell, ret_before);
    }
    *ret_now = *ret_before;
    if (error != COORD_OK || (a->to != 0 && a->to == *ret_before))
        return error;
    error = coord_step_down(cell->client, (uint32_t)a->to, a->deadline_ms);
    while (error == COORD_OK && signals_now_ms() < end_ms) {
        error = leader_now(cell, ret_now);
        if (*ret_now != 0 && *ret_now != *ret_before)
            break;
        pause_a_moment();
    }
    return error;
}

int force_step_down(struct cell *cell, const struct arguments *a)
{
    uint32_t before = 0, now = 0;
    if (a->to > UINT32_MAX) {
        fputs("coordctl: step-down: --to: there is no such member\n", stderr);
        return EXIT_USAGE;
    }
    int code = cell_need_client(cell);
    if (code != EXIT_DONE)
        return code;
    coord_error error = hand_over(cell, a, &before, &now);
    if (error != COORD_OK)
        return cell_refused(cell, "step-down", error);
    bool wanted = now != 0 && (a->to != 0 ? now == a->to : now != before);
    if (a->format == OUTPUT_JSON) {
        cJSON *object = cJSON_CreateObject();
        json_add_u64(object, "before", before);
        json_add_u64(object, "leader", now);
        json_finish(object, false, stdout);
    } else if (now != 0) {
        printf("leader  %" PRIu32 ", before %" PRIu32 "\n", now, before);
    }
    if (!wanted)
        fputs(now == 0 ? "coordctl: step-down: handed over, but nobody leads yet\n"
                       : "coordctl: step-down: it was not for that member to lead\n",
              stderr);
    return wanted ? EXIT_DONE : EXIT_REFUSED;
}
