/* init.c - `coordd init`: a directory gets the identity it keeps for ever. */
#define _GNU_SOURCE
#include <stdio.h>
#include <string.h>

#include "coordd/main/exit_codes.h"
#include "coordd/main/random.h"
#include "coordd/main/serve.h"

int exit_for_store(enum store_result result)
{
    switch (result) {
    case STORE_OK:
        return COORDD_EXIT_OK;
    case STORE_FULL:
        return COORDD_EXIT_FULL;
    case STORE_FAILED:
        return COORDD_EXIT_DISK;
    case STORE_CORRUPT:
        return COORDD_EXIT_CORRUPT;
    case STORE_FOREIGN:
        return COORDD_EXIT_FOREIGN;
    case STORE_NOT_INITIALISED:
        return COORDD_EXIT_NOT_INITIALISED;
    case STORE_EXISTS:
        return COORDD_EXIT_EXISTS;
    case STORE_LOCKED:
        return COORDD_EXIT_LOCKED;
    case STORE_MISMATCH:
        return COORDD_EXIT_MISMATCH;
    }
    return COORDD_EXIT_OTHER;
}

int init_run(const struct init_config *config, const struct store_options *storage)
{
    struct store_identity identity;
    char why[SETTINGS_WHY_BYTES] = "", cell[2 * REPLICA_CELL_ID_BYTES + 1];
    memset(&identity, 0, sizeof identity);
    memcpy(identity.cell, config->cell, sizeof identity.cell);
    memcpy(identity.cell_name, config->name, sizeof identity.cell_name);
    identity.self = config->id;
    while (identity.incarnation == 0)
        random_fill(&identity.incarnation, sizeof identity.incarnation);
    memcpy(identity.members, config->members, sizeof identity.members);
    identity.members_count = config->members_count;

    enum store_result result = store_initialise(config->dir, &identity, storage, why, sizeof why);
    if (result != STORE_OK) {
        (void)fprintf(stderr, "coordd: %s\n", why);
        return exit_for_store(result);
    }
    hex_encode(config->cell, sizeof config->cell, cell);
    (void)printf("initialised %s: member %u of cell %s (%s)\n", config->dir, config->id, cell,
                 config->name);
    return COORDD_EXIT_OK;
}
