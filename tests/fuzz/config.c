/* config.c - what coordd is told: a configuration file, and command lines. The first
 * byte says which; the words of a command line stand on lines of their own. */
#define _GNU_SOURCE
#include "coordd/main/config.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "tests/fuzz/fuzz.h"

enum { WORDS_MAX = 32, FD_PATH_BYTES = 64 };

static void judge_members(const struct replica_member *members, uint32_t count)
{
    DEMAND(count > 0 && count <= REPLICA_MEMBERS_MAX);
    for (uint32_t i = 0; i < count; i++) {
        DEMAND(members[i].id > 0 && members[i].id <= 65535);
        DEMAND(i == 0 || members[i].id > members[i - 1].id);
        DEMAND(strnlen(members[i].address, REPLICA_ADDRESS_BYTES_MAX + 1) <=
               REPLICA_ADDRESS_BYTES_MAX);
    }
}

static void serve(int argc, char **argv)
{
    struct serve_config *config = check_calloc(1, sizeof *config);
    char why[SETTINGS_WHY_BYTES] = "";

    if (config_serve(argc, argv, config, why) == ERR_OK) {
        DEMAND(config->dir[0] != '\0');
        DEMAND(memchr(config->listen, 0, sizeof config->listen) != NULL);
        DEMAND(config->lease_ms <= 60000 && config->heartbeat_ms <= 10000);
        DEMAND(config->id <= 65535 && config->rate_ppm <= 100000);
    } else {
        DEMAND(why[0] != '\0' && memchr(why, 0, sizeof why) != NULL);
    }
    free(config);
}

static void init(int argc, char **argv)
{
    struct init_config *config = check_calloc(1, sizeof *config);
    char why[SETTINGS_WHY_BYTES] = "";

    if (config_init(argc, argv, config, why) == ERR_OK) {
        judge_members(config->members, config->members_count);
        DEMAND(memchr(config->name, 0, sizeof config->name) != NULL);
    } else {
        DEMAND(why[0] != '\0' && memchr(why, 0, sizeof why) != NULL);
    }
    free(config);
}

static void members(const char *text)
{
    struct replica_member *list = check_calloc(REPLICA_MEMBERS_MAX, sizeof *list);
    char why[SETTINGS_WHY_BYTES] = "";
    uint32_t count;

    if (config_parse_members(text, list, &count, why) == ERR_OK)
        judge_members(list, count);
    else
        DEMAND(why[0] != '\0');
    free(list);
}

static int split(char *text, char *words[WORDS_MAX])
{
    int count = 0;

    while (count < WORDS_MAX && *text != '\0') {
        char *end = text + strcspn(text, "\n");
        bool last = *end == '\0';

        *end = '\0';
        words[count++] = text;
        text = last ? end : end + 1;
    }
    return count;
}

static void file(struct slice bytes)
{
    char path[FD_PATH_BYTES], config[] = "--config", dir[] = "--dir=/d";
    int fd = memfd_create("config", MFD_CLOEXEC);

    DEMAND(fd >= 0 && write(fd, bytes.data, bytes.length) == (ssize_t)bytes.length);
    (void)snprintf(path, sizeof path, "/proc/self/fd/%d", fd);
    serve(3, (char *[]){config, path, dir});
    (void)close(fd);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    if (size == 0)
        return 0;
    struct slice bytes = slice_of(data + 1, size - 1);
    char *text = fuzz_text(bytes), *words[WORDS_MAX];
    uint8_t cell[REPLICA_CELL_ID_BYTES];

    switch (data[0] % 5) {
    case 0:
        file(bytes);
        break;
    case 1:
        serve(split(text, words), words);
        break;
    case 2:
        init(split(text, words), words);
        break;
    case 3:
        members(text);
        break;
    default:
        (void)config_parse_cell(text, cell);
    }
    free(text);
    return 0;
}
