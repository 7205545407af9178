/* cell.c - see cell.h. */
#define _GNU_SOURCE
#include "tools/coordctl/cell.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "tools/coordctl/command.h"
#include "tools/coordctl/signals.h"
#include "tools/coordctl/standing.h"
#include "tools/coordctl/units.h"

/* Ending a session is a courtesy: without an answer it ends with its lease. */
enum { CLOSE_MS_MAX = 2000 };

/* So long we ask each server how it is, when the cell gave no answer. */
enum { LOOK_MS_MAX = 500, DETAIL_BYTES = 256 };

void cell_init(struct cell *cell, const struct arguments *a)
{
    *cell = (struct cell){
        .endpoints = a->endpoints, .deadline_ms = a->deadline_ms, .ttl_ms = a->ttl_ms};
    atomic_init(&cell->session_lost, false);
    atomic_init(&cell->lock_taken, false);
}

void cell_release(struct cell *cell)
{
    if (cell->session != NULL) {
        bool lost = atomic_load(&cell->session_lost);
        int64_t patience_ms = cell->deadline_ms < CLOSE_MS_MAX ? cell->deadline_ms : CLOSE_MS_MAX;
        (void)coord_session_close(cell->session, lost ? 0 : patience_ms);
    }
    cell->session = NULL;
    coord_client_close(cell->client);
    cell->client = NULL;
}

int cell_exit_code(coord_error error)
{
    switch (error) {
    case COORD_OK:
        return EXIT_DONE;
    case COORD_ERR_INVALID:
        return EXIT_USAGE;
    case COORD_ERR_UNAVAILABLE:
    case COORD_ERR_TIMEOUT:
    case COORD_ERR_JEOPARDY:
    case COORD_ERR_MAYBE_APPLIED:
        return EXIT_UNREACHABLE;
    default:
        return EXIT_REFUSED;
    }
}

/* What was given to us may be anything; a terminal is not to obey it. */
static void print_printable(const char *text)
{
    bool is_text = units_is_text(text, strlen(text));
    for (const uint8_t *at = (const uint8_t *)text; *at != '\0'; at++) {
        bool is_control = *at < ' ' || *at == 0x7f;
        fputc(is_control || (*at >= 0x80 && !is_text) ? '?' : *at, stderr);
    }
}

/* The library and the servers name their own arguments: whoever types a command knows
 * others. What is said of the path is said of the subject. */
static const char *in_our_words(const char *subject, const char *detail, const char **ret_argument)
{
    static const struct {
        const char *theirs, *ours;
    } words[] = {
        {"path: ", ""},
        {"content_generation: ", "--if-gen: "},
        {"options: if_sequencer: ", "--if-seq: "},
        {"known_revision: ", "--from: "},
        {"to: ", "--to: "},
    };
    *ret_argument = "";
    for (size_t i = subject[0] == '\0' ? 1 : 0; i < sizeof(words) / sizeof(words[0]); i++) {
        size_t length = strlen(words[i].theirs);
        if (strncmp(detail, words[i].theirs, length) != 0)
            continue;
        *ret_argument = words[i].ours;
        return detail + length;
    }
    return detail;
}

static void print_reason(const char *subject, const char *text, const char *detail)
{
    const char *argument;
    detail = in_our_words(subject, detail, &argument);
    if (strstr(text, detail) != NULL) { /* it is empty, or says nothing more */
        fputs(text, stderr);
        return;
    }
    bool is_more = strstr(detail, text) != NULL;
    fprintf(stderr, "%s%s%s", is_more ? "" : text, is_more ? "" : " (", argument);
    print_printable(detail);
    fputs(is_more ? "" : ")", stderr);
}

/* Why the cell gave no answer, as far as its servers tell. If none was ever reached, that
 * was said. */
static void print_standing(const struct cell *cell)
{
    char standing[STANDING_BYTES];
    coord_status *status;
    if (cell->client == NULL)
        return;
    if (coord_status_get(cell->client, LOOK_MS_MAX, &status) != COORD_OK) {
        fputs("coordctl: none of its servers can be reached\n", stderr);
        return;
    }
    standing_text(status, standing);
    fprintf(stderr, "coordctl: %s\n", standing);
    coord_status_free(status);
}

int cell_refused_with(const struct cell *cell, const char *subject, coord_error error,
                      const char *detail)
{
    int code = cell_exit_code(error);
    fputs("coordctl: ", stderr);
    print_printable(subject);
    fputs(subject[0] != '\0' ? ": " : "", stderr);
    print_reason(subject, coord_error_text(error), detail);
    fputc('\n', stderr);
    if (code == EXIT_UNREACHABLE)
        print_standing(cell);
    return code;
}

int cell_refused(const struct cell *cell, const char *subject, coord_error error)
{
    return cell_refused_with(cell, subject, error, coord_error_detail());
}

int cell_refused_write(const struct cell *cell, const char *subject, const char *path,
                       coord_error error)
{
    char detail[DETAIL_BYTES];
    coord_stat stat;
    snprintf(detail, sizeof(detail), "%s", coord_error_detail());
    if (error == COORD_ERR_BAD_GENERATION && path != NULL &&
        coord_stat_get(cell->session, path, cell->deadline_ms, &stat) == COORD_OK)
        snprintf(detail, sizeof(detail), "it is %" PRIu64 " now", stat.content_generation);
    return cell_refused_with(cell, subject, error, detail);
}

int cell_need_client_within(struct cell *cell, int64_t connect_ms)
{
    if (cell->client != NULL)
        return EXIT_DONE;
    coord_client_options options = COORD_CLIENT_OPTIONS_INIT;
    options.connect_timeout_ms = connect_ms;
    coord_error error = coord_client_open(cell->endpoints, &options, &cell->client);
    return error == COORD_OK ? EXIT_DONE : cell_refused(cell, "", error);
}

int cell_need_client(struct cell *cell)
{
    return cell_need_client_within(cell, cell->deadline_ms);
}

static void session_changed(void *context, coord_session *session, coord_session_state state)
{
    (void)session;
    struct cell *cell = context;
    if (state == COORD_SESSION_EXPIRED) {
        atomic_store(&cell->session_lost, true);
        signals_wake();
    }
}

static void lock_taken(void *context, coord_session *session, const coord_loss *loss)
{
    (void)session;
    (void)loss;
    struct cell *cell = context;
    atomic_store(&cell->lock_taken, true);
    signals_wake();
}

static int need_session(struct cell *cell, bool holding)
{
    int code = cell_need_client(cell);
    if (code != EXIT_DONE || cell->session != NULL)
        return code;
    coord_session_options options = COORD_SESSION_OPTIONS_INIT;
    options.ttl_ms = (uint32_t)cell->ttl_ms;
    options.deadline_ms = cell->deadline_ms;
    options.callback = session_changed;
    options.context = cell;
    options.on_loss = lock_taken;
    options.lets_go_late = holding;
    coord_error error = coord_session_open(cell->client, &options, &cell->session);
    return error == COORD_OK ? EXIT_DONE : cell_refused(cell, "", error);
}

int cell_need_session(struct cell *cell)
{
    return need_session(cell, false);
}

int cell_need_holding_session(struct cell *cell)
{
    return need_session(cell, true);
}

void cell_end_killed(struct cell *cell)
{
    uint8_t secret[COORD_SECRET_BYTES];
    coord_session *again;
    coord_session_options options = COORD_SESSION_OPTIONS_INIT;
    options.deadline_ms = CLOSE_MS_MAX;
    uint64_t id = coord_session_id(cell->session);
    coord_session_secret(cell->session, secret);
    (void)coord_session_close(cell->session, 0); /* a client has a session once */
    cell->session = NULL;
    /* The library is told once more that it is killed, and now agrees at once. If its
     * agreement is lost on the way, as we go on and end, the second try finds out. */
    for (int tries = 0; tries < 2; tries++) {
        if (coord_session_attach(cell->client, &options, id, secret, &again) == COORD_OK)
            (void)coord_session_close(again, CLOSE_MS_MAX);
    }
}
