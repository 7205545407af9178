/* config.c - see config.h. */
#define _GNU_SOURCE
#include "coordd/main/config.h"

#include <ctype.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "coordd/rpc/address.h"
#include "coordd/storage/reserve.h"

enum {
    MEMBER_ID_MAX = 65535,
    LEASE_MS_MAX = 60 * 1000,
    HEARTBEAT_MS_MAX = 10 * 1000,
    RATE_PPM_MAX = 100 * 1000,
    WAL_MIB_MAX = 1024,
    RESERVE_MIB_MAX = 4096,
    CHECKPOINT_FRAMES_MAX = 1000 * 1000,
    SLOTS_MAX = 100 * 1000 * 1000,
    MIB_BYTES = 1024 * 1024,
};
static const uint64_t CHECKPOINT_BYTES_MAX = UINT64_C(1) << 40;
static const char default_name[] = "local";

bool config_parse_cell(const char *text, uint8_t ret[REPLICA_CELL_ID_BYTES])
{
    char digits[2 * REPLICA_CELL_ID_BYTES + 1];
    size_t length = 0;
    for (const char *c = text; *c != '\0'; c++) {
        if (*c == '-')
            continue;
        if (length + 1 >= sizeof digits)
            return false;
        digits[length++] = (char)tolower((unsigned char)*c);
    }
    digits[length] = '\0';
    return hex_decode(digits, ret, REPLICA_CELL_ID_BYTES);
}

/* One ID=HOST:PORT. */
static enum err parse_member(const char *text, size_t length, struct replica_member *ret, char *why)
{
    char item[REPLICA_ADDRESS_BYTES_MAX + 16];
    struct address address;
    if (length < sizeof item) {
        memcpy(item, text, length);
        item[length] = '\0';
        size_t digits = strspn(item, "0123456789");
        unsigned long id = strtoul(item, NULL, 10);
        const char *where = item + digits + 1;
        if (digits > 0 && digits <= 5 && item[digits] == '=' && id > 0 && id <= MEMBER_ID_MAX &&
            address_parse(where, &address) && strlen(where) <= REPLICA_ADDRESS_BYTES_MAX) {
            memset(ret, 0, sizeof *ret);
            ret->id = (uint32_t)id;
            memcpy(ret->address, where, strlen(where) + 1);
            return ERR_OK;
        }
    }
    (void)snprintf(why, SETTINGS_WHY_BYTES, "--members: wanted ID=HOST:PORT, not '%.*s'",
                   (int)(length > 64 ? 64 : length), text);
    return ERR_INVALID;
}

enum err config_parse_members(const char *text, struct replica_member *ret, uint32_t *ret_count,
                              char *why)
{
    struct replica_member members[REPLICA_MEMBERS_MAX];
    uint32_t count = 0;
    for (const char *at = text; *at != '\0';) {
        size_t length = strcspn(at, ",");
        if (count == REPLICA_MEMBERS_MAX) {
            (void)snprintf(why, SETTINGS_WHY_BYTES, "--members: more than %d", REPLICA_MEMBERS_MAX);
            return ERR_INVALID;
        }
        struct replica_member m;
        enum err e = parse_member(at, length, &m, why);
        if (e != ERR_OK)
            return e;
        uint32_t place = count;
        for (uint32_t i = 0; i < count; i++) {
            if (members[i].id == m.id || strcmp(members[i].address, m.address) == 0) {
                (void)snprintf(why, SETTINGS_WHY_BYTES, "--members: %" PRIu32 "=%s is named twice",
                               m.id, m.address);
                return ERR_INVALID;
            }
        }
        for (; place > 0 && members[place - 1].id > m.id; place--)
            members[place] = members[place - 1];
        members[place] = m;
        count++;
        at += length + (at[length] == ',');
    }
    if (count == 0) {
        (void)snprintf(why, SETTINGS_WHY_BYTES, "--members: nobody is named");
        return ERR_INVALID;
    }
    memcpy(ret, members, count * sizeof members[0]);
    *ret_count = count;
    return ERR_OK;
}

static enum err missing(const char *option, char *why)
{
    (void)snprintf(why, SETTINGS_WHY_BYTES, "%s is missing", option);
    return ERR_INVALID;
}

static enum err wrong_cell(char *why)
{
    (void)snprintf(why, SETTINGS_WHY_BYTES, "--cell: wanted 32 hexadecimal digits");
    return ERR_INVALID;
}

static enum err name_cell(const char *name, struct init_config *c, char *why)
{
    size_t length = strlen(name);
    size_t plain =
        strspn(name, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-_.");
    if (length > REPLICA_CELL_NAME_BYTES_MAX || plain != length || name[0] == '.') {
        (void)snprintf(why, SETTINGS_WHY_BYTES,
                       "--name: wanted at most %d letters, digits, dashes, dots",
                       REPLICA_CELL_NAME_BYTES_MAX);
        return ERR_INVALID;
    }
    memcpy(c->name, name, length + 1);
    return ERR_OK;
}

static bool is_member(const struct init_config *c, uint32_t id)
{
    for (uint32_t i = 0; i < c->members_count; i++) {
        if (c->members[i].id == id)
            return true;
    }
    return false;
}

enum err config_init(int argc, char **argv, struct init_config *ret, char *why)
{
    static const struct init_config empty;
    struct init_config c = empty;
    char cell[SETTING_TEXT_BYTES_MAX] = "", members[SETTING_TEXT_BYTES_MAX] = "";
    char name[SETTING_TEXT_BYTES_MAX] = "";
    uint64_t id = 0;
    const struct setting settings[] = {
        {.key = "dir", .kind = SETTING_TEXT, .value = c.dir},
        {.key = "cell", .kind = SETTING_TEXT, .value = cell},
        {.key = "name", .kind = SETTING_TEXT, .value = name},
        {.key = "members", .kind = SETTING_TEXT, .value = members},
        {.key = "id", .kind = SETTING_NUMBER, .value = &id, .low = 1, .high = MEMBER_ID_MAX},
    };
    enum err e =
        settings_take_arguments(settings, sizeof settings / sizeof settings[0], argc, argv, why);
    if (e != ERR_OK)
        return e;
    if (c.dir[0] == '\0')
        return missing("--dir", why);
    if (id == 0)
        return missing("--id", why);
    if (cell[0] == '\0')
        return missing("--cell", why);
    if (members[0] == '\0')
        return missing("--members", why);
    if (!config_parse_cell(cell, c.cell))
        return wrong_cell(why);
    e = name_cell(name[0] == '\0' ? default_name : name, &c, why);
    if (e == ERR_OK)
        e = config_parse_members(members, c.members, &c.members_count, why);
    if (e != ERR_OK)
        return e;
    c.id = (uint32_t)id;
    if (!is_member(&c, c.id)) {
        (void)snprintf(why, SETTINGS_WHY_BYTES, "--id: %" PRIu32 " is not among --members", c.id);
        return ERR_INVALID;
    }
    *ret = c;
    return ERR_OK;
}

enum err config_serve(int argc, char **argv, struct serve_config *ret, char *why)
{
    static const struct serve_config empty;
    struct serve_config c = empty;
    char cell[SETTING_TEXT_BYTES_MAX] = "", file[SETTING_TEXT_BYTES_MAX] = "";
    uint64_t id = 0, lease_ms = 0, heartbeat_ms = 0, rate_ppm = 0, wal_mib = 0, frames = 0;
    uint64_t slots = 0, bytes = 0, keep = 0, trust = 1, reserve_mib = RESERVE_MIB_MAX + 1;
    const struct setting settings[] = {
        {.key = "dir", .kind = SETTING_TEXT, .value = c.dir},
        {.key = "config", .kind = SETTING_TEXT, .value = file},
        {.key = "listen", .kind = SETTING_TEXT, .in_file = true, .value = c.listen},
        {.key = "cell", .kind = SETTING_TEXT, .in_file = true, .value = cell},
        {"id", SETTING_NUMBER, true, &id, 1, MEMBER_ID_MAX},
        {"lease_ms", SETTING_NUMBER, true, &lease_ms, 20, LEASE_MS_MAX},
        {"heartbeat_ms", SETTING_NUMBER, true, &heartbeat_ms, 1, HEARTBEAT_MS_MAX},
        {"rate_ppm", SETTING_NUMBER, true, &rate_ppm, 1, RATE_PPM_MAX},
        {"trust_clocks", SETTING_NUMBER, true, &trust, 0, 1},
        {"wal_mib", SETTING_NUMBER, true, &wal_mib, 1, WAL_MIB_MAX},
        {"reserve_mib", SETTING_NUMBER, true, &reserve_mib, 0, RESERVE_MIB_MAX},
        {"checkpoint_frames", SETTING_NUMBER, true, &frames, 1, CHECKPOINT_FRAMES_MAX},
        {"checkpoint_slots", SETTING_NUMBER, true, &slots, 1, SLOTS_MAX},
        {"checkpoint_bytes", SETTING_NUMBER, true, &bytes, 1, CHECKPOINT_BYTES_MAX},
        {"log_keep_slots", SETTING_NUMBER, true, &keep, 1, SLOTS_MAX},
    };
    const size_t count = sizeof settings / sizeof settings[0];
    enum err e = settings_take_arguments(settings, count, argc, argv, why);
    if (e == ERR_OK && file[0] != '\0') {
        e = settings_take_file(settings, count, file, why);
        /* Once more: an option on the command line outweighs the file. */
        if (e == ERR_OK)
            e = settings_take_arguments(settings, count, argc, argv, why);
    }
    if (e != ERR_OK)
        return ERR_INVALID;
    if (c.dir[0] == '\0')
        return missing("--dir", why);
    c.has_cell = cell[0] != '\0';
    if (c.has_cell && !config_parse_cell(cell, c.cell))
        return wrong_cell(why);
    struct address address;
    if (c.listen[0] != '\0' && !address_parse(c.listen, &address)) {
        (void)snprintf(why, SETTINGS_WHY_BYTES, "listen: wanted host:port, not '%.64s'", c.listen);
        return ERR_INVALID;
    }
    if (heartbeat_ms != 0 && lease_ms != 0 && heartbeat_ms >= lease_ms) {
        (void)snprintf(why, SETTINGS_WHY_BYTES,
                       "heartbeat_ms: wanted less than lease_ms, %" PRIu64 ", not %" PRIu64,
                       lease_ms, heartbeat_ms);
        return ERR_INVALID;
    }
    c.id = (uint32_t)id;
    c.lease_ms = (uint32_t)lease_ms;
    c.heartbeat_ms = (uint32_t)heartbeat_ms;
    c.rate_ppm = (uint32_t)rate_ppm;
    c.distrusts_clocks = trust == 0;
    c.wal_bytes = wal_mib * MIB_BYTES;
    c.reserve_bytes = reserve_mib > RESERVE_MIB_MAX ? RESERVE_BYTES_AUTO : reserve_mib * MIB_BYTES;
    c.checkpoint_frames = (uint32_t)frames;
    c.checkpoint_slots = (uint32_t)slots;
    c.checkpoint_bytes = bytes;
    c.log_keep_slots = (uint32_t)keep;
    *ret = c;
    return ERR_OK;
}
