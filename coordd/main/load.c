/* load.c - see load.h. */
#define _GNU_SOURCE
#include "coordd/main/load.h"

#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "coordd/main/clock.h"
#include "coordd/main/exit_codes.h"
#include "coordd/main/log.h"
#include "coordd/main/random.h"
#include "coordd/main/serve.h"
#include "coordd/storage/reserve.h"
#include "libcoord/base/units.h"

struct loading {
    struct loaded *to;
    const struct serve_config *config;
    struct store_options options;
    struct replica_durable durable;
    enum err error; /* of the replica's */
    uint64_t slot;  /* where it was */
    uint64_t have;  /* the checkpoint's slot */
    bool log_damaged, log_repaired;
    char damage[SETTINGS_WHY_BYTES]; /* of the log */
};

static int fail_store(enum store_result result, const char *why)
{
    LOG_ERROR("storage", log_text("problem", store_result_text(result)), log_text("text", why));
    return exit_for_store(result);
}

/* ---- log.db ---- */

/* A damaged log is told and repaired by repair_log, once. */
static int fail_log(struct loading *l, enum store_result result, const char *why)
{
    if (result != STORE_CORRUPT || l->log_repaired)
        return fail_store(result, why);
    l->log_damaged = true;
    (void)snprintf(l->damage, sizeof l->damage, "%s", why);
    return COORDD_EXIT_CORRUPT;
}

/* Nobody has the directory open. */
static int repair_log(struct loading *l)
{
    char why[SETTINGS_WHY_BYTES] = "";
    enum store_result result = store_repair(l->config->dir, &l->options, why, sizeof why);
    if (result == STORE_OK) {
        LOG_ERROR("log", log_text("problem", store_result_text(STORE_CORRUPT)),
                  log_text("text", l->damage),
                  log_text("so", "it is set aside as " STORE_LOG_DAMAGED));
        return COORDD_EXIT_OK;
    }
    if (result != STORE_CORRUPT)
        return fail_store(result, why);
    LOG_ERROR("storage", log_text("problem", store_result_text(result)), log_text("text", why),
              log_text("so", "what this member promised may be lost: keep the directory and leave "
                             "the member down, the cell runs on without it"));
    return COORDD_EXIT_CORRUPT;
}

static void tell_reserve(const struct store *store)
{
    int problem = reserve_problem(store_reserve(store));
    if (problem != 0)
        LOG_WARNING("reserve", log_text("problem", strerror(problem)),
                    log_text("so", "nothing is kept back here for a full disk"));
}

static int open_store(struct loading *l)
{
    const struct serve_config *config = l->config;
    char why[SETTINGS_WHY_BYTES] = "";
    enum store_result result = store_open(config->dir, &l->options, &l->to->store, why, sizeof why);
    if (result != STORE_OK)
        return fail_log(l, result, why);
    /* Is it the directory that the caller meant? */
    struct store *store = l->to->store;
    result = store_expect(store, config->has_cell ? config->cell : NULL, config->id);
    if (result != STORE_OK)
        return fail_store(result, store_why(store));
    tell_reserve(store);
    store_durable(store, &l->durable);
    if (l->durable.log_damaged)
        LOG_ERROR("log", log_text("problem", "it was damaged, and there is none yet"),
                  log_number("slot", l->durable.last_slot),
                  log_text("so", "this member has no vote until it has got the state behind this "
                                 "slot from the other members"));
    return COORDD_EXIT_OK;
}

static bool load_entry(void *context, const struct log_entry *entry)
{
    struct loading *l = context;
    if (entry->slot <= l->have)
        return true;
    l->error = replica_load_entry(l->to->replica, entry);
    l->slot = entry->slot;
    l->to->entries++;
    return l->error == ERR_OK;
}

/* All of it is read, what only others may ask for too: damage is found now, and not
 * once it ends a server that works. */
static int load_log(struct loading *l)
{
    struct store *store = l->to->store;
    l->have = checkpoint_slot(l->to->checkpoint);
    enum store_result result =
        store_read(store, l->durable.floor + 1, UINT64_MAX, 0, load_entry, l);
    if (result != STORE_OK)
        return fail_log(l, result, store_why(store));
    if (l->error == ERR_OK)
        return COORDD_EXIT_OK;
    LOG_ERROR("log-gap", log_number("slot", l->slot), log_text("dir", l->config->dir));
    return COORDD_EXIT_CORRUPT;
}

/* ---- state.db ---- */

static int set_aside(const struct loading *l, const char *problem, const char *what)
{
    char why[SETTINGS_WHY_BYTES] = "";
    LOG_ERROR("checkpoint", log_text("problem", problem), log_text("text", what),
              log_text("so", "its files are set aside as " CHECKPOINT_DAMAGED
                             ", and the state is got from the other members"));
    enum store_result result = checkpoint_set_aside(l->config->dir, why, sizeof why);
    return result == STORE_OK ? COORDD_EXIT_OK : fail_store(result, why);
}

static int open_checkpoint(struct loading *l)
{
    const struct store_identity *own = store_identity(l->to->store);
    char why[SETTINGS_WHY_BYTES] = "";
    bool made = false;
    for (int tries = 0;; tries++) {
        enum store_result result = checkpoint_open(l->config->dir, own, &l->options,
                                                   &l->to->checkpoint, &made, why, sizeof why);
        if (result == STORE_OK) {
            checkpoint_use_reserve(l->to->checkpoint, store_reserve(l->to->store));
            break;
        }
        if (result == STORE_FULL && reserve_give(store_reserve(l->to->store), RESERVE_OTHERS)) {
            tries--;
            continue;
        }
        if (tries > 0 || (result != STORE_CORRUPT && result != STORE_MISMATCH))
            return fail_store(result, why);
        int status = set_aside(l, store_result_text(result), why);
        if (status != COORDD_EXIT_OK)
            return status;
    }
    if (checkpoint_slot(l->to->checkpoint) < l->durable.floor)
        LOG_ERROR("checkpoint", log_text("problem", made ? "there is none" : "it is too old"),
                  log_number("slot", checkpoint_slot(l->to->checkpoint)),
                  log_number("log_begins_behind", l->durable.floor),
                  log_text("so", "the state is got from the other members"));
    return COORDD_EXIT_OK;
}

static int make_replica(struct loading *l)
{
    const struct store_identity *own = store_identity(l->to->store);
    const struct serve_config *set = l->config;
    struct replica_config config = {
        .self = own->self,
        .incarnation = own->incarnation,
        .members_count = own->members_count,
        .lease_ms = set->lease_ms,
        .heartbeat_ms = set->heartbeat_ms,
        .rate_ppm = set->rate_ppm,
        .distrusts_clocks = set->distrusts_clocks,
        .checkpoint_slots = set->checkpoint_slots,
        .checkpoint_bytes = set->checkpoint_bytes,
        .log_keep_slots = set->log_keep_slots,
        .pid = (uint64_t)getpid(),
        .version = COORD_VERSION,
    };
    memcpy(config.cell, own->cell, sizeof config.cell);
    memcpy(config.cell_name, own->cell_name, sizeof config.cell_name);
    memcpy(config.members, own->members, sizeof config.members);
    random_fill(&config.seed, sizeof config.seed);
    const char *why = "";
    if (replica_new(&config, &l->durable, &l->to->replica, &why) == ERR_OK)
        return COORDD_EXIT_OK;
    LOG_ERROR("configuration", log_text("text", why));
    return COORDD_EXIT_USAGE;
}

static bool load_record(void *context, struct slice key, struct slice value)
{
    struct loading *l = context;
    l->error = replica_load_record(l->to->replica, key, value);
    l->to->records++;
    return l->error == ERR_OK;
}

/* STORE_CORRUPT, and what is wrong, if the checkpoint is not what was saved. */
static enum store_result load_state(struct loading *l, const char **ret_why)
{
    struct checkpoint *c = l->to->checkpoint;
    struct replica *replica = l->to->replica;
    if (checkpoint_slot(c) == 0)
        return STORE_OK;
    if (replica_load_checkpoint(replica, checkpoint_slot(c), checkpoint_about(c), ret_why) !=
        ERR_OK)
        return STORE_CORRUPT;
    enum store_result result = checkpoint_load(c, load_record, l);
    *ret_why = checkpoint_why(c);
    if (result != STORE_OK)
        return result;
    *ret_why = "a record is none of ours";
    if (l->error != ERR_OK)
        return STORE_CORRUPT;
    *ret_why = "the records are not all that was saved";
    return replica_load_checkpoint_end(replica) == ERR_OK ? STORE_OK : STORE_CORRUPT;
}

/* A replica with the state; without any if what is there is damaged. */
static int load_checkpoint(struct loading *l)
{
    const char *why = "";
    int status = make_replica(l);
    if (status != COORDD_EXIT_OK)
        return status;
    enum store_result result = load_state(l, &why);
    if (result == STORE_OK)
        return COORDD_EXIT_OK;
    if (result != STORE_CORRUPT)
        return fail_store(result, why);
    status = set_aside(l, store_result_text(result), why);
    checkpoint_close(l->to->checkpoint);
    l->to->checkpoint = NULL;
    replica_free(l->to->replica);
    l->to->replica = NULL;
    l->to->records = 0;
    l->error = ERR_OK;
    if (status == COORDD_EXIT_OK)
        status = open_checkpoint(l);
    return status == COORDD_EXIT_OK ? make_replica(l) : status;
}

/* ---- both ---- */

static int load_all(struct loading *l)
{
    int status = open_store(l);
    if (status == COORDD_EXIT_OK)
        status = open_checkpoint(l);
    if (status == COORDD_EXIT_OK)
        status = load_checkpoint(l);
    if (status == COORDD_EXIT_OK)
        status = load_log(l);
    return status;
}

int load_directory(const struct serve_config *config, const struct store_options *storage,
                   struct loaded *ret)
{
    struct loading l = {.to = ret, .config = config};
    int64_t begin_ns = clock_now_ns();
    if (storage != NULL)
        l.options = *storage;
    if (config->wal_bytes != 0)
        l.options.wal_bytes = config->wal_bytes;
    l.options.reserve_bytes = config->reserve_bytes;
    if (config->checkpoint_frames != 0)
        l.options.checkpoint_frames = config->checkpoint_frames;
    int status = load_all(&l);
    if (l.log_damaged) {
        loaded_release(ret);
        l.log_repaired = true;
        status = repair_log(&l);
        if (status == COORDD_EXIT_OK)
            status = load_all(&l);
    }
    if (status != COORDD_EXIT_OK)
        return status;
    enum store_result result = store_mark_used(ret->store);
    if (result != STORE_OK)
        return fail_store(result, store_why(ret->store));
    replica_loaded(ret->replica, clock_now_ns());
    ret->took_ms = (uint64_t)((clock_now_ns() - begin_ns) / NS_PER_MS);
    return COORDD_EXIT_OK;
}

void loaded_release(struct loaded *l)
{
    replica_free(l->replica);
    checkpoint_close(l->checkpoint);
    store_close(l->store);
    *l = (struct loaded){0};
}
