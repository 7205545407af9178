/* hold.c - see hold.h. */
#define _GNU_SOURCE
#include "tools/coordctl/hold.h"

#include <pthread.h>
#include <stdio.h>
#include <string.h>

#include "tools/coordctl/command.h"
#include "tools/coordctl/guard.h"
#include "tools/coordctl/output.h"
#include "tools/coordctl/signals.h"

/* Of the lease: with less left than a sixth the command is asked to end, with less
 * than a twentieth it is killed, and with less than a fortieth the kernel ends the
 * guardian. What is left of it then is for dying. KeepAlives come each third of the
 * lease, so that one may be lost before anything happens; the guardian is told of
 * it soon after. */
enum { TERM_PART = 6, KILL_PART = 20, END_PART = 40, ORDER_PART = 24 };

enum { CANCEL_AGAIN_MS = 20, NS_PER_MS = 1000000 };

struct waiting {
    const struct holding *holding;
    int64_t timeout_ms;
    coord_error error;
    char detail[256]; /* the library keeps it per thread */
    atomic_bool done;
};

static void *wait_in_line(void *context)
{
    struct waiting *w = context;
    w->error = w->holding->acquire(w->holding->self, w->timeout_ms);
    snprintf(w->detail, sizeof(w->detail), "%s", coord_error_detail());
    atomic_store(&w->done, true);
    signals_wake();
    return NULL;
}

/* COORD_ERR_CANCELLED if we were told to end meanwhile. */
static coord_error acquire(struct cell *cell, struct waiting *w)
{
    pthread_t thread;
    if (pthread_create(&thread, NULL, wait_in_line, w) != 0)
        return COORD_ERR_INTERNAL;
    bool told = false;
    while (!atomic_load(&w->done)) {
        told = signals_is_end(signals_wait(told ? CANCEL_AGAIN_MS : -1)) || told;
        if (told) /* again and again: the thread may not have begun to wait */
            coord_session_cancel(cell->session);
    }
    pthread_join(thread, NULL);
    return w->error;
}

static int not_acquired(const struct cell *cell, const char *path, const struct waiting *w)
{
    switch (w->error) {
    case COORD_ERR_CANCELLED:
        fprintf(stderr, "coordctl: %s: told to end before it was acquired\n", path);
        return EXIT_NOT_ACQUIRED;
    case COORD_ERR_TIMEOUT:
    case COORD_ERR_LOCK_HELD:
        fprintf(stderr, "coordctl: %s: not acquired, someone else holds it\n", path);
        return EXIT_NOT_ACQUIRED;
    case COORD_ERR_EXPIRED:
    case COORD_ERR_INSTANCE_GONE:
    case COORD_ERR_NOT_HELD: /* any more: taken by force before we had it */
        fprintf(stderr, "coordctl: %s: not acquired: %s\n", path, coord_error_text(w->error));
        return EXIT_NOT_ACQUIRED;
    default:
        return cell_refused_with(cell, path, w->error, w->detail);
    }
}

/* How long it is certainly ours, by CLOCK_BOOTTIME, and whether it was taken from us: by
 * force, or the session was killed. */
struct belief {
    int64_t until_ms;
    bool taken, killed;
};

/* What is taken is not renewed any more, but it is ours until we let go of it or the
 * lease ends. The command has as long to end as if the lease ran low now. */
static void look(const struct cell *cell, struct belief *b)
{
    if (b->taken)
        return;
    int64_t now_ms = signals_now_ms(); /* first: what is late is then on the safe side */
    int64_t safe_ms = coord_session_safe_ms(cell->session);
    if (safe_ms > 0) /* else that time has come, or the session is killed */
        b->until_ms = now_ms + safe_ms;
    b->killed = atomic_load(&cell->session_lost) && now_ms < b->until_ms;
    b->taken = b->killed || atomic_load(&cell->lock_taken);
    int64_t end_ms = now_ms + cell->ttl_ms / TERM_PART;
    if (b->taken && end_ms < b->until_ms)
        b->until_ms = end_ms;
}

static int lost(const struct cell *cell, const char *path, const struct belief *b)
{
    fprintf(stderr, "coordctl: %s: lost: %s\n", path,
            b->killed                        ? "our session was killed"
            : atomic_load(&cell->lock_taken) ? "it was taken by force"
                                             : "the cell did not renew our lease in time");
    return EXIT_LOST;
}

static struct guard_order order_of(const struct cell *cell, const struct belief *b)
{
    return (struct guard_order){.term_ns = (b->until_ms - cell->ttl_ms / TERM_PART) * NS_PER_MS,
                                .kill_ns = (b->until_ms - cell->ttl_ms / KILL_PART) * NS_PER_MS,
                                .end_ns = (b->until_ms - cell->ttl_ms / END_PART) * NS_PER_MS};
}

/* The command's code, or EXIT_LOST. It has ended when this returns, and so has
 * all of its group. */
static int keep_with_child(const struct cell *cell, const struct holding *h,
                           const struct arguments *a, struct belief *b)
{
    struct guard guard;
    struct guard_order order = order_of(cell, b);
    int error = guard_start(&guard, a->child, a->contain, &order, h->sequencer(h->self), h->path);
    if (error != 0) {
        fprintf(stderr, "coordctl: %s: %s\n", a->child[0], strerror(error));
        return EXIT_REFUSED;
    }
    struct guard_end end;
    while (!guard_ended(&guard, &end)) {
        int taken = signals_wait(cell->ttl_ms / ORDER_PART);
        look(cell, b);
        order = order_of(cell, b);
        order.signal_number = signals_is_end(taken) ? taken : 0;
        guard_order(&guard, &order);
    }
    return end.lost ? lost(cell, h->path, b) : end.code;
}

static void announce(const struct arguments *a, const struct holding *h)
{
    if (a->format == OUTPUT_JSON) {
        cJSON *object = cJSON_CreateObject();
        json_add_text(object, "path", h->path);
        json_add_text(object, "sequencer", h->sequencer(h->self));
        json_finish(object, true, stdout);
    } else {
        puts(h->sequencer(h->self));
    }
    (void)output_flush();
}

static int keep_until_told(const struct cell *cell, const struct holding *h, struct belief *b)
{
    for (;;) {
        look(cell, b);
        int64_t left_ms = b->until_ms - signals_now_ms();
        if (left_ms <= 0 || b->taken)
            return lost(cell, h->path, b);
        if (signals_is_end(signals_wait(left_ms)))
            return EXIT_DONE;
    }
}

/* Whatever this comes to, the session's end releases it too. */
static void let_go(struct cell *cell, const struct holding *h, const struct belief *b, int code)
{
    bool late = code == EXIT_LOST && !b->taken;
    (void)h->release(h->self, late || b->killed ? 0 : cell->deadline_ms);
    if (b->killed)
        cell_end_killed(cell);
}

int hold_run(struct cell *cell, const struct arguments *a, const struct holding *holding)
{
    struct waiting w = {.holding = holding, .timeout_ms = a->try_once ? 0 : a->wait_ms};
    atomic_init(&w.done, false);
    w.error = acquire(cell, &w);
    if (w.error != COORD_OK)
        return not_acquired(cell, holding->path, &w);

    struct belief belief = {.until_ms = 0};
    int code;
    look(cell, &belief);
    if (a->child != NULL) {
        code = keep_with_child(cell, holding, a, &belief);
    } else {
        announce(a, holding);
        code = keep_until_told(cell, holding, &belief);
    }
    let_go(cell, holding, &belief, code);
    return code;
}
