/* dev_cell.h - the cell that stands behind `coordd dev`: its plan on disk and
 * its processes. */
#ifndef COORD_MAIN_DEV_CELL_H
#define COORD_MAIN_DEV_CELL_H

#include <sys/types.h>

#include "coordd/main/config.h"
#include "coordd/main/dev.h"

enum {
    DEV_COMMAND_BYTES = 2 * (DEV_PATH_BYTES_MAX + 64) + 64,
};

struct dev_member {
    uint32_t id;
    char address[REPLICA_ADDRESS_BYTES_MAX + 1];
    char dir[DEV_PATH_BYTES_MAX + 16];
    char command[DEV_COMMAND_BYTES]; /* starts it again, for a shell */
    pid_t pid;                       /* 0: not running as our child */
};

struct dev_cell {
    char executable[DEV_PATH_BYTES_MAX];
    char dir[DEV_PATH_BYTES_MAX]; /* absolute */
    uint16_t port;
    uint8_t id[REPLICA_CELL_ID_BYTES];
    uint32_t members_count;
    struct dev_member members[REPLICA_MEMBERS_MAX];
};

/* All of these return an exit status and have said what was wrong. */

/* The same cell as last time in this directory, or a new one. */
int dev_cell_plan(struct dev_cell *c, const struct dev_config *config);
int dev_cell_check_ports(const struct dev_cell *c);
int dev_cell_initialise(const struct dev_cell *c, const struct store_options *storage);
int dev_cell_start(struct dev_cell *c, struct dev_member *m);

#endif
