/* What init and serve accept. */
#define _GNU_SOURCE
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "coordd/main/config.h"
#include "tests/support/runner.h"

enum { WORDS_MAX = 24 };
#define CELL "00112233445566778899aabbccddeeff"

static char why[SETTINGS_WHY_BYTES];
static struct init_config init;
static struct serve_config serve;

static int split(char *line, char **words)
{
    int count = 0;
    char *rest = NULL;
    for (char *w = strtok_r(line, " ", &rest); w != NULL; w = strtok_r(NULL, " ", &rest))
        words[count++] = w;
    return count;
}

static enum err take_init(const char *line)
{
    char copy[2048], *words[WORDS_MAX];
    (void)snprintf(copy, sizeof copy, "%s", line);
    int count = split(copy, words);
    why[0] = '\0';
    return config_init(count, words, &init, why);
}

static enum err take_serve(const char *line)
{
    char copy[2048], *words[WORDS_MAX];
    (void)snprintf(copy, sizeof copy, "%s", line);
    int count = split(copy, words);
    why[0] = '\0';
    return config_serve(count, words, &serve, why);
}

static void test_config__init_takes_a_whole_identity(void)
{
    CU_ASSERT_EQUAL_FATAL(take_init("--dir /d --id 2 --cell 00112233-4455-6677-8899-AABBCCDDEEFF "
                                    "--members 3=c:3,1=a:1,2=[::1]:2 --name north"),
                          ERR_OK);
    CU_ASSERT_STRING_EQUAL(init.dir, "/d");
    CU_ASSERT_STRING_EQUAL(init.name, "north");
    CU_ASSERT_EQUAL(init.id, 2);
    CU_ASSERT_EQUAL(init.cell[0], 0x00);
    CU_ASSERT_EQUAL(init.cell[15], 0xff);
    CU_ASSERT_EQUAL_FATAL(init.members_count, 3);
    CU_ASSERT_EQUAL(init.members[0].id, 1); /* sorted: every member writes the same */
    CU_ASSERT_STRING_EQUAL(init.members[0].address, "a:1");
    CU_ASSERT_EQUAL(init.members[2].id, 3);
    CU_ASSERT_STRING_EQUAL(init.members[2].address, "c:3");
    CU_ASSERT_EQUAL(take_init("--dir /d --id 1 --cell " CELL " --members 1=a:1"), ERR_OK);
    CU_ASSERT_STRING_EQUAL(init.name, "local");
}

static void expect_init_refused(const char *line, const char *says)
{
    memset(&init, 7, sizeof init);
    CU_ASSERT_EQUAL(take_init(line), ERR_INVALID);
    CU_ASSERT_PTR_NOT_NULL(strstr(why, says));
    CU_ASSERT_EQUAL(init.id, 0x07070707); /* untouched */
}

static void test_config__init_names_what_is_wrong(void)
{
    expect_init_refused("", "--dir is missing");
    expect_init_refused("--dir d", "--id is missing");
    expect_init_refused("--dir d --id 1", "--cell is missing");
    expect_init_refused("--dir d --id 1 --cell " CELL, "--members is missing");
    expect_init_refused("--dir d --id 0 --cell " CELL " --members 1=a:1", "--id");
    expect_init_refused("--dir d --id 65536 --cell " CELL " --members 1=a:1", "--id");
    expect_init_refused("--dir d --id 2 --cell " CELL " --members 1=a:1", "--id: 2 is not among");
    expect_init_refused("--dir d --id 1 --cell 12 --members 1=a:1", "--cell");
    expect_init_refused("--dir d --id 1 --cell " CELL "00 --members 1=a:1", "--cell");
    expect_init_refused("--dir d --id 1 --cell x" CELL " --members 1=a:1", "--cell");
    expect_init_refused("--dir d --id 1 --cell " CELL " --members 1=a", "not '1=a'");
    expect_init_refused("--dir d --id 1 --cell " CELL " --members 0=a:1", "--members");
    expect_init_refused("--dir d --id 1 --cell " CELL " --members 65536=a:1", "--members");
    expect_init_refused("--dir d --id 1 --cell " CELL " --members a:1", "--members");
    expect_init_refused("--dir d --id 1 --cell " CELL " --members 1=a:1,,2=b:2", "--members");
    expect_init_refused("--dir d --id 1 --cell " CELL " --members ,", "--members");
    expect_init_refused("--dir d --id 1 --cell " CELL " --members 1=a:1,1=b:2", "named twice");
    expect_init_refused("--dir d --id 1 --cell " CELL " --members 1=a:1,2=a:1", "named twice");
    expect_init_refused("--dir d --id 1 --cell " CELL " --name a/b --members 1=a:1", "--name");
    expect_init_refused("--dir d --id 1 --cell " CELL " --name . --members 1=a:1", "--name");
}

static void test_config__init_bounds_the_members(void)
{
    char line[1024] = "--dir d --id 1 --cell " CELL " --members ";
    for (int i = 1; i <= REPLICA_MEMBERS_MAX + 1; i++) {
        char one[32];
        (void)snprintf(one, sizeof one, "%s%d=h:%d", i == 1 ? "" : ",", i, i);
        if (i == REPLICA_MEMBERS_MAX + 1)
            CU_ASSERT_EQUAL(take_init(line), ERR_OK);
        memcpy(line + strlen(line), one, strlen(one) + 1);
    }
    expect_init_refused(line, "--members: more than 16");
}

static void test_config__serve_has_defaults_for_all_but_the_directory(void)
{
    CU_ASSERT_EQUAL(take_serve(""), ERR_INVALID);
    CU_ASSERT_STRING_EQUAL(why, "--dir is missing");
    CU_ASSERT_EQUAL_FATAL(take_serve("--dir d"), ERR_OK);
    CU_ASSERT_EQUAL(serve.lease_ms, 0);
    CU_ASSERT_EQUAL(serve.id, 0);
    CU_ASSERT_FALSE(serve.has_cell);
    CU_ASSERT_STRING_EQUAL(serve.listen, "");
    CU_ASSERT_EQUAL_FATAL(take_serve("--dir d --listen h:1 --lease-ms 500 --heartbeat-ms 50 "
                                     "--rate-ppm 100 --wal-mib 16 --checkpoint-frames 300 "
                                     "--checkpoint-slots 70 --checkpoint-bytes 8589934592 "
                                     "--log-keep-slots 20 "
                                     "--id 3 --cell " CELL),
                          ERR_OK);
    CU_ASSERT_STRING_EQUAL(serve.listen, "h:1");
    CU_ASSERT_EQUAL(serve.lease_ms, 500);
    CU_ASSERT_EQUAL(serve.heartbeat_ms, 50);
    CU_ASSERT_EQUAL(serve.rate_ppm, 100);
    CU_ASSERT_EQUAL(serve.wal_bytes, 16 * 1024 * 1024);
    CU_ASSERT_EQUAL(serve.checkpoint_frames, 300);
    CU_ASSERT_EQUAL(serve.checkpoint_slots, 70);
    CU_ASSERT_EQUAL(serve.checkpoint_bytes, UINT64_C(8) << 30);
    CU_ASSERT_EQUAL(serve.log_keep_slots, 20);
    CU_ASSERT_EQUAL(serve.id, 3);
    CU_ASSERT_TRUE(serve.has_cell);
    CU_ASSERT_EQUAL(serve.cell[1], 0x11);
}

static void test_config__the_command_line_outweighs_the_file(void)
{
    char path[] = "/tmp/coord-config-XXXXXX", line[256];
    static const char content[] = "lease_ms = 400\nheartbeat_ms = 40\n";
    int fd = mkstemp(path);
    CU_ASSERT_TRUE_FATAL(fd >= 0);
    CU_ASSERT_EQUAL(write(fd, content, sizeof content - 1), (ssize_t)sizeof content - 1);
    (void)close(fd);
    (void)snprintf(line, sizeof line, "--lease-ms 900 --dir d --config %s", path);
    CU_ASSERT_EQUAL(take_serve(line), ERR_OK);
    CU_ASSERT_EQUAL(serve.lease_ms, 900);
    CU_ASSERT_EQUAL(serve.heartbeat_ms, 40);
    (void)unlink(path);
    CU_ASSERT_EQUAL(take_serve(line), ERR_INVALID);
    CU_ASSERT_PTR_NOT_NULL(strstr(why, path));
}

static void test_config__serve_names_what_is_wrong(void)
{
    CU_ASSERT_EQUAL(take_serve("--dir d --listen nowhere"), ERR_INVALID);
    CU_ASSERT_PTR_NOT_NULL(strstr(why, "listen: wanted host:port, not 'nowhere'"));
    CU_ASSERT_EQUAL(take_serve("--dir d --cell 0"), ERR_INVALID);
    CU_ASSERT_PTR_NOT_NULL(strstr(why, "--cell"));
    CU_ASSERT_EQUAL(take_serve("--dir d --lease-ms 0"), ERR_INVALID);
    CU_ASSERT_PTR_NOT_NULL(strstr(why, "--lease-ms"));
    /* Nothing dangerous can be set from outside. */
    CU_ASSERT_EQUAL(take_serve("--dir d --sqlite-vfs x"), ERR_INVALID);
    CU_ASSERT_EQUAL(take_serve("--dir d --synchronous off"), ERR_INVALID);
}

int main(int argc, char **argv)
{
    static const struct test_case cases[] = {
        TEST(test_config__init_takes_a_whole_identity),
        TEST(test_config__init_names_what_is_wrong),
        TEST(test_config__init_bounds_the_members),
        TEST(test_config__serve_has_defaults_for_all_but_the_directory),
        TEST(test_config__the_command_line_outweighs_the_file),
        TEST(test_config__serve_names_what_is_wrong),
    };
    return run_suite("config", cases, sizeof cases / sizeof cases[0], argc, argv);
}
