/* coordd_main.c - the subcommands. */
#define _GNU_SOURCE
#include "coordd/main/coordd_main.h"

#include <signal.h>
#include <stdio.h>
#include <string.h>

#include "coordd/main/dev.h"
#include "coordd/main/exit_codes.h"
#include "coordd/main/serve.h"

static const char usage[] =
    "usage: coordd COMMAND [OPTION VALUE]...\n"
    "\n"
    "coordd init --dir DIR --id N --cell HEX --members 1=HOST:PORT,2=HOST:PORT,...\n"
    "    makes DIR the directory of member N of a new cell, once and for ever\n"
    "    --cell HEX           32 hexadecimal digits, the same for all members\n"
    "    --name NAME          the cell's name in paths, `local` if not given\n"
    "\n"
    "coordd serve --dir DIR\n"
    "    runs the member whose directory it is, until SIGTERM\n"
    "    --config FILE        more settings, one `key = value` a line, # for comments;\n"
    "                         an option given here outweighs the file\n"
    "    --listen HOST:PORT   if it is not the address that the members know\n"
    "    --id N, --cell HEX   refuse a directory that is not this member's\n"
    "    --lease-ms N         the leader's lease, 350 if not given\n"
    "    --heartbeat-ms N     a seventh of the lease if not given\n"
    "    --rate-ppm N         bound on the drift between two clocks' rates\n"
    "    --trust-clocks 0     confirm every read and KeepAlive by a round to a quorum\n"
    "    --wal-mib N          size of the write-ahead log on disk\n"
    "    --reserve-mib N      kept back for a full disk; 0: nothing. If it is not given:\n"
    "                         64, or a sixteenth of a small file system\n"
    "    --checkpoint-frames N  when it is moved into the database\n"
    "    --checkpoint-slots N, --checkpoint-bytes N\n"
    "                         save the state when so much was applied since the last time\n"
    "    --log-keep-slots N   how much of the log is kept behind that\n"
    "\n"
    "coordd dev --dir DIR --port PORT\n"
    "    a whole cell on this machine for trying things out: members in DIR/1, DIR/2,\n"
    "    ... on PORT, PORT+1, ...; runs until SIGTERM or Ctrl-C. What member N has to say\n"
    "    is in DIR/N/log\n"
    "    --members N          how many, 5 if not given\n"
    "\n"
    "coordd version\n"
    "coordd help\n";

static int wrong_usage(const char *why)
{
    (void)fprintf(stderr, "coordd: %s\n`coordd help` tells more\n", why);
    return COORDD_EXIT_USAGE;
}

static int run_init(int argc, char **argv, const struct store_options *storage)
{
    struct init_config config;
    char why[SETTINGS_WHY_BYTES];
    if (config_init(argc, argv, &config, why) != ERR_OK)
        return wrong_usage(why);
    return init_run(&config, storage);
}

static int run_serve(int argc, char **argv, const struct store_options *storage)
{
    struct serve_config config;
    char why[SETTINGS_WHY_BYTES];
    if (config_serve(argc, argv, &config, why) != ERR_OK)
        return wrong_usage(why);
    return serve_run(&config, storage);
}

static int run_dev(int argc, char **argv, const struct store_options *storage)
{
    struct dev_config config;
    char why[SETTINGS_WHY_BYTES];
    if (dev_configure(argc, argv, &config, why) != ERR_OK)
        return wrong_usage(why);
    return dev_run(&config, storage);
}

int coordd_main(int argc, char **argv, const struct store_options *storage)
{
    /* A client that hangs up is an error of one write, not the end of a server. */
    (void)signal(SIGPIPE, SIG_IGN);
    const char *command = argc < 2 ? "" : argv[1];
    bool asks = argc == 3 && (strcmp(argv[2], "--help") == 0 || strcmp(argv[2], "-h") == 0);
    if (asks)
        command = "help";
    if (strcmp(command, "init") == 0)
        return run_init(argc - 2, argv + 2, storage);
    if (strcmp(command, "serve") == 0)
        return run_serve(argc - 2, argv + 2, storage);
    if (strcmp(command, "dev") == 0)
        return run_dev(argc - 2, argv + 2, storage);
    if (argc > 2 && strcmp(command, "help") != 0) {
        char why[SETTINGS_WHY_BYTES];
        (void)snprintf(why, sizeof why, "unexpected argument '%.64s'", argv[2]);
        return wrong_usage(why);
    }
    if (strcmp(command, "version") == 0 || strcmp(command, "--version") == 0) {
        (void)printf("coordd %s\n", COORD_VERSION);
        return COORDD_EXIT_OK;
    }
    if (strcmp(command, "help") == 0 || strcmp(command, "--help") == 0) {
        (void)fputs(usage, stdout);
        return COORDD_EXIT_OK;
    }
    if (command[0] != '\0') {
        char why[SETTINGS_WHY_BYTES];
        (void)snprintf(why, sizeof why, "there is no command '%.64s'", command);
        return wrong_usage(why);
    }
    (void)fputs(usage, stderr);
    return COORDD_EXIT_USAGE;
}
