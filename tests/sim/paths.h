/* paths.h - the few names that a run is about. Few, so that clients meet. */
#ifndef TESTS_SIM_PATHS_H
#define TESTS_SIM_PATHS_H

#include <stdint.h>

enum {
    PATHS_DATA = 0, /* first of its kind */
    PATHS_DATA_COUNT = 6,
    PATHS_LOCK = PATHS_DATA + PATHS_DATA_COUNT,
    PATHS_LOCK_COUNT = 3,
    PATHS_EPHEMERAL = PATHS_LOCK + PATHS_LOCK_COUNT,
    PATHS_EPHEMERAL_COUNT = 3,
    PATHS_FINAL = PATHS_EPHEMERAL + PATHS_EPHEMERAL_COUNT,
    PATHS_FINAL_COUNT = 12, /* one for each client, for its last write */
    PATHS_COUNT = PATHS_FINAL + PATHS_FINAL_COUNT,
};

const char *path_text(uint32_t path);
/* PATHS_COUNT if it is none of them (a directory above some). */
uint32_t path_index(const char *text);

#endif
