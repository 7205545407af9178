/* serve.c - `coordd serve`: puts one replica together, runs it until a signal
 * asks for the end, and takes it apart.
 *
 *   load_directory -> rpc_new, the threads of the disk -> rounds
 *
 * The port is opened last: who cannot serve yet is better refused than kept
 * waiting, and whoever stands on the port finds nothing half done. */
#define _GNU_SOURCE
#include "coordd/main/serve.h"

#include <pthread.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <time.h>
#include <unistd.h>

#include "coordd/main/clock.h"
#include "coordd/main/driver.h"
#include "coordd/main/exit_codes.h"
#include "coordd/main/load.h"
#include "coordd/main/log.h"
#include "libcoord/base/check.h"
#include "libcoord/base/units.h"

enum {
    STOP_LOOK_MS = 100, /* how often is there a signal? */
    FAREWELL_MS = 20,
};
static const char stopping_text[] = "the server is stopping";

struct serve {
    const struct serve_config *config; /* borrowed */
    struct loaded loaded;
    struct rpc *rpc;
    struct journal *journal;
    struct saver *saver;
    struct driver driver;
};

/* ---- signals ---- */

/* They stay blocked in every thread and are asked for between rounds: no
 * handler, hence no state outside of the struct. */
static sigset_t stop_signals(void)
{
    sigset_t set;
    (void)sigemptyset(&set);
    (void)sigaddset(&set, SIGTERM);
    (void)sigaddset(&set, SIGINT);
    return set;
}

static bool stop_asked(void)
{
    const struct timespec at_once = {0};
    sigset_t set = stop_signals();
    return sigtimedwait(&set, NULL, &at_once) > 0;
}

/* ---- beginning ---- */

static int fail(const char *event, int status, const char *why)
{
    LOG_ERROR(event, log_text("text", why));
    return status;
}

/* From a thread of the disk. */
static void wake(void *context)
{
    rpc_wake(((struct serve *)context)->rpc);
}

static bool is_alone(const struct serve *s)
{
    return store_identity(s->loaded.store)->members_count == 1;
}

/* What is durable is not known any more, so nobody may hear another word of this
 * process. If it is damage, the next start finds it and asks the others for the state. */
_Noreturn static void end_for_disk(const struct serve *s, enum store_result result, const char *why)
{
    const char *so = "the process ends, for what is durable is not known";
    if (result == STORE_CORRUPT)
        so = is_alone(s) ? "the process ends, and the cell has no other member: keep the directory"
                         : "the process ends; start it again, and it gets what is lost from the "
                           "other members";
    LOG_ERROR("storage", log_text("problem", store_result_text(result)), log_text("text", why),
              log_text("so", so));
    _exit(exit_for_store(result));
}

/* From the log thread. */
static void log_failed(void *context, enum store_result result)
{
    const struct serve *s = context;
    end_for_disk(s, result, store_why(s->loaded.store));
}

/* From the checkpoint thread. Damage that only writing meets, the next start would load
 * beside, and meet again: so the file goes now. Not the only one that there is. */
static void checkpoint_failed(void *context, enum store_result result)
{
    struct serve *s = context;
    char why[SETTINGS_WHY_BYTES] = "";
    if (result == STORE_CORRUPT && !is_alone(s) &&
        checkpoint_set_aside(s->config->dir, why, sizeof why) != STORE_OK)
        LOG_ERROR("checkpoint", log_text("text", why));
    end_for_disk(s, result, checkpoint_why(s->loaded.checkpoint));
}

/* From the checkpoint thread. */
static void look_for_space(void *context)
{
    journal_look(((struct serve *)context)->journal);
}

static const char *own_address(const struct store_identity *own)
{
    for (uint32_t i = 0; i < own->members_count; i++) {
        if (own->members[i].id == own->self)
            return own->members[i].address;
    }
    return "";
}

static int open_network(struct serve *s)
{
    const struct store_identity *own = store_identity(s->loaded.store);
    const char *listen = s->config->listen[0] != '\0' ? s->config->listen : own_address(own);
    char why[RPC_WHY_BYTES] = "", cell[2 * REPLICA_CELL_ID_BYTES + 1];
    driver_init(&s->driver, s->loaded.replica);
    s->driver.members = own->members;
    s->driver.members_count = own->members_count;
    struct rpc_options options = {
        .self = own->self,
        .incarnation = own->incarnation,
        .members = own->members,
        .members_count = own->members_count,
        .listen = listen,
        .take_event = driver_take_event,
        .take_note = driver_take_note,
        .context = &s->driver,
    };
    memcpy(options.cell, own->cell, sizeof options.cell);
    enum rpc_result result = rpc_new(&options, &s->rpc, why);
    if (result != RPC_OK)
        return fail("listen",
                    result == RPC_ADDRESS_TAKEN ? COORDD_EXIT_PORT_TAKEN : COORDD_EXIT_OTHER, why);
    hex_encode(own->cell, sizeof own->cell, cell);
    LOG_INFO("started", log_number("member", own->self), log_text("cell", cell),
             log_text("listen", listen), log_number("pid", (uint64_t)getpid()),
             log_number("checkpoint", checkpoint_slot(s->loaded.checkpoint)),
             log_number("records", s->loaded.records), log_number("entries", s->loaded.entries),
             log_number("load_ms", s->loaded.took_ms), log_text("version", COORD_VERSION));
    return COORDD_EXIT_OK;
}

static int start_threads(struct serve *s)
{
    struct journal_options journal = {
        .store = s->loaded.store,
        .reserve = store_reserve(s->loaded.store),
        .wake = wake,
        .fail = log_failed,
        .context = s,
    };
    struct saver_options saver = {.checkpoint = s->loaded.checkpoint,
                                  .wake = wake,
                                  .fail = checkpoint_failed,
                                  .look = look_for_space,
                                  .context = s};
    s->journal = journal_new(&journal);
    if (s->journal != NULL)
        s->saver = saver_new(&saver);
    if (s->saver == NULL)
        return fail("thread", COORDD_EXIT_OTHER, "the system gives no thread");
    s->driver.rpc = s->rpc;
    s->driver.journal = s->journal;
    s->driver.saver = s->saver;
    return COORDD_EXIT_OK;
}

/* ---- middle and end ---- */

static void run(struct serve *s)
{
    int64_t look_at_ns = 0;
    driver_begin(&s->driver);
    for (;;) {
        int64_t now_ns = clock_now_ns();
        if (now_ns >= look_at_ns) {
            if (stop_asked())
                break;
            look_at_ns = now_ns + ms_to_ns(STOP_LOOK_MS);
        }
        driver_round(&s->driver, look_at_ns);
    }
    LOG_INFO("stopping", log_number("pid", (uint64_t)getpid()));
    /* A leader says that it leads no longer, and that gets a moment to leave. */
    struct replica_event stop = {.kind = REPLICA_EVENT_STOP};
    driver_take_event(&s->driver, &stop);
    int64_t end_ns = clock_now_ns() + ms_to_ns(FAREWELL_MS);
    while (clock_now_ns() < end_ns)
        driver_round(&s->driver, end_ns);
}

/* The transaction under way is finished; nobody hears of it any more. */
static void take_apart(struct serve *s)
{
    saver_free(s->saver); /* it speaks to the other */
    journal_free(s->journal);
    rpc_free(s->rpc, stopping_text);
    driver_release(&s->driver);
    loaded_release(&s->loaded);
}

/* Each client is a socket: as many as the system lets us have. */
static void raise_file_limit(void)
{
    struct rlimit limit;
    if (getrlimit(RLIMIT_NOFILE, &limit) == 0 && limit.rlim_cur < limit.rlim_max) {
        limit.rlim_cur = limit.rlim_max;
        (void)setrlimit(RLIMIT_NOFILE, &limit);
    }
}

int serve_run(const struct serve_config *config, const struct store_options *storage)
{
    struct serve s = {.config = config};
    /* What core has to say about sockets is said here, in a line of our own. */
    (void)setenv("GRPC_VERBOSITY", "NONE", 0);
    raise_file_limit();
    sigset_t signals = stop_signals();
    CHECK(pthread_sigmask(SIG_BLOCK, &signals, NULL) == 0);
    driver_init(&s.driver, NULL);
    int status = load_directory(config, storage, &s.loaded);
    if (status == COORDD_EXIT_OK)
        status = open_network(&s);
    if (status == COORDD_EXIT_OK)
        status = start_threads(&s);
    if (status == COORDD_EXIT_OK)
        run(&s);
    take_apart(&s);
    return status;
}
