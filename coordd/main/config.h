/* config.h - what `coordd init` and `coordd serve` are told. */
#ifndef COORD_MAIN_CONFIG_H
#define COORD_MAIN_CONFIG_H

#include "coordd/main/settings.h"
#include "coordd/replica/replica.h"

struct init_config {
    char dir[SETTING_TEXT_BYTES_MAX];
    uint8_t cell[REPLICA_CELL_ID_BYTES];
    char name[REPLICA_CELL_NAME_BYTES_MAX + 1];
    uint32_t id;
    struct replica_member members[REPLICA_MEMBERS_MAX]; /* by rising id */
    uint32_t members_count;
};

/* 0 in a number means: the default. */
struct serve_config {
    char dir[SETTING_TEXT_BYTES_MAX];
    char listen[SETTING_TEXT_BYTES_MAX]; /* empty: the member's own address */
    bool has_cell;                       /* the directory must be of this cell, if given */
    uint8_t cell[REPLICA_CELL_ID_BYTES];
    uint32_t id; /* and of this member */
    uint32_t lease_ms, heartbeat_ms, rate_ppm;
    bool distrusts_clocks;
    uint64_t wal_bytes;
    uint64_t reserve_bytes; /* 0: none; RESERVE_BYTES_AUTO */
    uint32_t checkpoint_frames;
    uint32_t checkpoint_slots;
    uint64_t checkpoint_bytes;
    uint32_t log_keep_slots;
};

/* `argv` begins behind the subcommand. ERR_INVALID and `why`
 * (SETTINGS_WHY_BYTES) if not all is well. */
MUST_USE enum err config_init(int argc, char **argv, struct init_config *ret, char *why);
MUST_USE enum err config_serve(int argc, char **argv, struct serve_config *ret, char *why);

/* 32 hexadecimal digits; dashes are ignored, letters may be large. */
bool config_parse_cell(const char *text, uint8_t ret[REPLICA_CELL_ID_BYTES]);
/* 1=host:port,2=host:port,... */
MUST_USE enum err config_parse_members(const char *text, struct replica_member *ret,
                                       uint32_t *ret_count, char *why);

#endif
