/* load.h - from a member's directory to a replica that can go on where it was.
 *
 * What log.db says of the member and its promises must be sound: nobody else can say
 * that. A log that is damaged is set aside, and so is a state.db; the replica starts
 * without them, and leads nothing (without its log: has no vote either) until it has
 * got the state from the others. */
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
