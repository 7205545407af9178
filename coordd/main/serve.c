/* serve.c - `coordd serve`: puts one replica together, runs it until a signal
 * asks for the end, and takes it apart.
 *
 *   store_open -> replica_new, replica_load_entry ... -> rpc_new -> rounds
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
#include "coordd/main/log.h"
#include "coordd/main/random.h"
#include "libcoord/base/check.h"
#include "libcoord/base/units.h"

enum {
    STOP_LOOK_MS = 100, /* how often is there a signal? */
    FAREWELL_MS = 20,
};
static const char stopping_text[] = "the server is stopping";

struct serve {
    const struct serve_config *config; /* borrowed */
    struct store *store;
    struct replica *replica;
    struct rpc *rpc;
    struct journal *journal;
    struct driver driver;
    uint64_t entries;
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

static int fail_store(enum store_result result, const char *why)
{
    LOG_ERROR("storage", log_text("problem", store_result_text(result)), log_text("text", why));
    return exit_for_store(result);
}

static int open_store(struct serve *s, const struct store_options *storage)
{
    struct store_options options = {0};
    char why[SETTINGS_WHY_BYTES] = "";
    if (storage != NULL)
        options = *storage;
    if (s->config->wal_bytes != 0)
        options.wal_bytes = s->config->wal_bytes;
    if (s->config->checkpoint_frames != 0)
        options.checkpoint_frames = s->config->checkpoint_frames;
    enum store_result result = store_open(s->config->dir, &options, &s->store, why, sizeof why);
    if (result != STORE_OK)
        return fail_store(result, why);
    /* Is it the directory that the caller meant? */
    result = store_expect(s->store, s->config->has_cell ? s->config->cell : NULL, s->config->id);
    return result == STORE_OK ? COORDD_EXIT_OK : fail_store(result, store_why(s->store));
}

struct loading {
    struct serve *serve;
    enum err error;
    uint64_t slot;
};

static bool load_entry(void *context, const struct log_entry *entry)
{
    struct loading *l = context;
    l->error = replica_load_entry(l->serve->replica, entry);
    l->slot = entry->slot;
    l->serve->entries++;
    return l->error == ERR_OK;
}

static int load_replica(struct serve *s)
{
    const struct store_identity *own = store_identity(s->store);
    struct replica_durable durable;
    struct replica_config config = {
        .self = own->self,
        .incarnation = own->incarnation,
        .members_count = own->members_count,
        .lease_ms = s->config->lease_ms,
        .heartbeat_ms = s->config->heartbeat_ms,
        .rate_ppm = s->config->rate_ppm,
        .pid = (uint64_t)getpid(),
        .version = COORD_VERSION,
    };
    memcpy(config.cell, own->cell, sizeof config.cell);
    memcpy(config.cell_name, own->cell_name, sizeof config.cell_name);
    memcpy(config.members, own->members, sizeof config.members);
    random_fill(&config.seed, sizeof config.seed);
    store_durable(s->store, &durable);

    const char *why = "";
    if (replica_new(&config, &durable, &s->replica, &why) != ERR_OK)
        return fail("configuration", COORDD_EXIT_USAGE, why);
    struct loading loading = {.serve = s};
    enum store_result result = store_read(s->store, 1, UINT64_MAX, 0, load_entry, &loading);
    if (result != STORE_OK)
        return fail_store(result, store_why(s->store));
    if (loading.error != ERR_OK) {
        LOG_ERROR("log-gap", log_number("slot", loading.slot), log_text("dir", s->config->dir));
        return COORDD_EXIT_CORRUPT;
    }
    result = store_mark_used(s->store);
    if (result != STORE_OK)
        return fail_store(result, store_why(s->store));
    replica_loaded(s->replica, clock_now_ns());
    return COORDD_EXIT_OK;
}

/* From the log thread. */
static void wake(void *context)
{
    rpc_wake(((struct serve *)context)->rpc);
}

/* From the log thread: what is durable is not known any more, so nobody may hear
 * another word of this process. */
static void disk_failed(void *context, enum store_result result)
{
    struct serve *s = context;
    LOG_ERROR("storage", log_text("problem", store_result_text(result)),
              log_text("text", store_why(s->store)),
              log_text("so", "the process ends, for what is durable is not known"));
    _exit(exit_for_store(result));
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
    const struct store_identity *own = store_identity(s->store);
    const char *listen = s->config->listen[0] != '\0' ? s->config->listen : own_address(own);
    char why[RPC_WHY_BYTES] = "", cell[2 * REPLICA_CELL_ID_BYTES + 1];
    driver_init(&s->driver, s->replica);
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
    struct journal_options journal = {
        .store = s->store, .wake = wake, .fail = disk_failed, .context = s};
    s->journal = journal_new(&journal);
    if (s->journal == NULL)
        return fail("thread", COORDD_EXIT_OTHER, "the system gives no thread");
    s->driver.rpc = s->rpc;
    s->driver.journal = s->journal;
    hex_encode(own->cell, sizeof own->cell, cell);
    LOG_INFO("started", log_number("member", own->self), log_text("cell", cell),
             log_text("listen", listen), log_number("pid", (uint64_t)getpid()),
             log_number("entries", s->entries), log_text("version", COORD_VERSION));
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
    journal_free(s->journal);
    rpc_free(s->rpc, stopping_text);
    if (s->replica != NULL)
        driver_release(&s->driver);
    replica_free(s->replica);
    store_close(s->store);
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
    int status = open_store(&s, storage);
    if (status == COORDD_EXIT_OK)
        status = load_replica(&s);
    if (status == COORDD_EXIT_OK)
        status = open_network(&s);
    if (status == COORDD_EXIT_OK)
        run(&s);
    take_apart(&s);
    return status;
}
