/* load.h - from a member's directory to a replica that can go on where it was.
 *
 * log.db must be sound: nobody else can say what was promised here. A state.db
 * that is damaged is set aside, and the replica starts without its state, which
 * the others have too, and leads nothing until it has got it from them. */
#ifndef COORD_MAIN_LOAD_H
#define COORD_MAIN_LOAD_H

#include "coordd/main/config.h"
#include "coordd/storage/checkpoint.h"
#include "coordd/storage/store.h"

/* All owned, to be released after failure too. */
struct loaded {
    struct store *store;
    struct checkpoint *checkpoint;
    struct replica *replica;
    uint64_t records, entries; /* that were loaded */
    uint64_t took_ms;
};

/* COORDD_EXIT_OK, or what the process should exit with: the log file has been told
 * why. */
int load_directory(const struct serve_config *config, const struct store_options *storage,
                   struct loaded *ret);
void loaded_release(struct loaded *l);

#endif
