/* leader.c - leader: who leads, now or from now on. */
#include <inttypes.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>

#include "tools/coordctl/command.h"
#include "tools/coordctl/memory.h"
#include "tools/coordctl/output.h"
#include "tools/coordctl/signals.h"

/* sequencer NULL: nobody leads. */
static void leader_json(const char *path, const coord_leadership *l, bool line)
{
    cJSON *object = cJSON_CreateObject();
    json_add_text(object, "path", path);
    if (l->sequencer != NULL) {
        json_add_content(object, "value", l->value, l->length);
        json_add_text(object, "sequencer", l->sequencer);
    } else {
        cJSON_AddNullToObject(object, "value");
        cJSON_AddNullToObject(object, "sequencer");
    }
    if (line) {
        json_add_bool(object, "superseded", l->superseded);
        json_add_bool(object, "missed", l->missed);
    }
    json_finish(object, line, stdout);
}

static int show_now(struct cell *cell, const struct arguments *a)
{
    const char *path = a->operands[0];
    void *value;
    size_t length;
    char *sequencer;
    coord_error error =
        coord_leader(cell->session, path, a->deadline_ms, &value, &length, &sequencer);
    if (error != COORD_OK)
        return cell_refused(cell, path, error);
    if (a->format == OUTPUT_JSON) {
        coord_leadership now = {.sequencer = sequencer, .value = value, .length = length};
        leader_json(path, &now, false);
    } else if (a->format == OUTPUT_RAW) {
        fwrite(value, 1, length, stdout);
    } else {
        fputs("value      ", stdout);
        fwrite(value, 1, length, stdout);
        printf("\nsequencer  %s\n", sequencer);
    }
    coord_free(value);
    coord_free(sequencer);
    return EXIT_DONE;
}

/* ---- --follow ---- */

/* The library's thread prints: it may block on our output, as nothing else is to be
 * told by it. The mutex is for the end. */
struct follower {
    const struct arguments *a;
    pthread_mutex_t mutex;
    bool broken;
};

static void print_leader(const struct arguments *a, const coord_leadership *l)
{
    if (a->format == OUTPUT_JSON) {
        leader_json(a->operands[0], l, true);
        return;
    }
    if (l->missed)
        puts("missed   some that led in between");
    if (l->sequencer == NULL) {
        puts("nobody");
        return;
    }
    printf("%s  %s  ", l->superseded ? "led   " : "leads ", l->sequencer);
    fwrite(l->value, 1, l->length, stdout);
    putchar('\n');
}

static void on_leader(void *context, const coord_leadership *l)
{
    struct follower *f = context;
    pthread_mutex_lock(&f->mutex);
    print_leader(f->a, l);
    f->broken = !output_flush();
    bool broken = f->broken;
    pthread_mutex_unlock(&f->mutex);
    if (broken)
        signals_wake();
}

static int follow(struct cell *cell, struct follower *f)
{
    for (;;) {
        pthread_mutex_lock(&f->mutex);
        bool broken = f->broken;
        pthread_mutex_unlock(&f->mutex);
        if (broken)
            return EXIT_REFUSED;
        if (atomic_load(&cell->session_lost)) {
            fprintf(stderr, "coordctl: %s: the session expired; no more is heard of leaders\n",
                    f->a->operands[0]);
            return EXIT_LOST;
        }
        if (signals_is_end(signals_wait(-1)))
            return EXIT_DONE;
    }
}

/* The observer says nothing while nobody leads yet: so it is said here. */
static coord_error tell_nobody_first(struct cell *cell, const struct arguments *a,
                                     struct follower *f)
{
    void *value;
    size_t length;
    coord_error error =
        coord_leader(cell->session, a->operands[0], a->deadline_ms, &value, &length, NULL);
    if (error == COORD_OK)
        coord_free(value);
    if (error != COORD_ERR_NOT_HELD && error != COORD_ERR_NO_NODE)
        return error;
    const coord_leadership nobody = {.sequencer = NULL};
    on_leader(f, &nobody);
    return COORD_OK;
}

static int show_all(struct cell *cell, const struct arguments *a)
{
    const char *path = a->operands[0];
    struct follower f = {.a = a};
    coord_observer *observer = NULL;
    pthread_mutex_init(&f.mutex, NULL);
    coord_error error = tell_nobody_first(cell, a, &f);
    if (error == COORD_OK)
        error = coord_observe(cell->session, path, on_leader, &f, a->deadline_ms, &observer);
    int code = error == COORD_OK ? follow(cell, &f) : cell_refused(cell, path, error);
    coord_observe_close(observer);
    pthread_mutex_destroy(&f.mutex);
    return code;
}

int leader_show(struct cell *cell, const struct arguments *a)
{
    if (a->follow)
        signals_hold();
    int code = cell_need_session(cell);
    if (code != EXIT_DONE)
        return code;
    return a->follow ? show_all(cell, a) : show_now(cell, a);
}
