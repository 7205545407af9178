/* main.c - zookeeper-load: one workload, with the shape that coord-bench has, against
 * a ZooKeeper ensemble whose servers run here. ../build builds it. */
#define _GNU_SOURCE
#include <getopt.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "tests/bench/peers/zookeeper/load.h"

struct zookeeper_options zookeeper = {.placement = "spread"};

static void write_latency(void)
{
    one_by_one(WRITE);
}

static void read_latency(void)
{
    one_by_one(READ);
}

static void stale_read_latency(void)
{
    one_by_one(READ_STALE);
}

static void nodes_100k(void)
{
    make_nodes(count_or(NODES_100K));
}

static void election(void)
{
    elect(false);
}

static void election_close(void)
{
    elect(true);
}

static void watch_fanout(void)
{
    fan_out(100);
}

static void watch_fanout_1000conns(void)
{
    fan_out(WATCHES);
}

/* Either runs by itself, or is a flow of that shape; no clients: as told. */
static const struct workload {
    const char *name;
    void (*run)(void);
    enum operation what;
    uint32_t clients, inflight;
} workloads[] = {
    {"warmup", warm_up, WRITE, 0, 0},
    {"write-latency", write_latency, WRITE, 0, 0},
    {"read-latency", read_latency, READ, 0, 0},
    {"stale-read-latency", stale_read_latency, READ, 0, 0},
    {"write-throughput", NULL, WRITE, 0, 0},
    {"write-throughput-1000", NULL, WRITE, 10, 1000},
    {"write-throughput-100x1", NULL, WRITE, 100, 100},
    {"read-throughput", NULL, READ, 0, 0},
    {"read-throughput-1000", NULL, READ, 10, 1000},
    {"read-throughput-100x1", NULL, READ, 100, 100},
    {"stale-read-throughput-1000", NULL, READ_STALE, 10, 1000},
    {"stale-read-throughput-100x1", NULL, READ_STALE, 100, 100},
    {"lock-cycle", lock_cycle, WRITE, 0, 0},
    {"lock-contended", lock_contended, WRITE, 0, 0},
    {"election", election, WRITE, 0, 0},
    {"election-close", election_close, WRITE, 0, 0},
    {"failover", failover, WRITE, 0, 0},
    {"watch-fanout", watch_fanout, WRITE, 0, 0},
    {"watch-fanout-1000conns", watch_fanout_1000conns, WRITE, 0, 0},
    {"idle", servers_alone, WRITE, 0, 0},
    {"sessions-2000conns", idle_sessions, WRITE, 0, 0},
    {"rss-100k", nodes_100k, MAKE, 0, 0},
    {"rss", servers_report_rss, READ, 0, 0},
};

static const struct workload *workload_of(const char *name)
{
    for (size_t i = 0; i < sizeof workloads / sizeof workloads[0]; i++)
        if (strcmp(workloads[i].name, name) == 0)
            return &workloads[i];
    die("there is no workload %s", name);
}

static void take(int option, const char *name)
{
    switch (option) {
    case 'e':
        options.endpoints = optarg;
        break;
    case 'p':
        zookeeper.pids = optarg;
        break;
    case 'a':
        zookeeper.placement = option_word(name, optarg);
        break;
    case 'w':
        options.warmup_s = option_number(name, optarg, 3600);
        break;
    case 's':
        options.seconds = option_number(name, optarg, 3600);
        break;
    case 'c':
        options.count = (uint32_t)option_number(name, optarg, 1e7);
        break;
    case 'l':
        options.clients = (uint32_t)option_number(name, optarg, CONNS_MAX);
        break;
    case 'i':
        options.inflight = (uint32_t)option_number(name, optarg, INFLIGHT_MAX);
        break;
    case 'd':
        options.details = true;
        break;
    case 'r':
        options.restart = optarg;
        break;
    case 'm':
        options.medium = option_word(name, optarg);
        break;
    case 'n':
        options.repetition = (uint32_t)option_number(name, optarg, 1e6);
        break;
    default:
        options.endpoints = NULL; /* main() complains */
    }
}

int main(int argc, char **argv)
{
    static const struct option known[] = {
        {"endpoints", required_argument, NULL, 'e'},
        {"pids", required_argument, NULL, 'p'},
        {"placement", required_argument, NULL, 'a'},
        {"warmup", required_argument, NULL, 'w'},
        {"seconds", required_argument, NULL, 's'},
        {"count", required_argument, NULL, 'c'},
        {"clients", required_argument, NULL, 'l'},
        {"inflight", required_argument, NULL, 'i'},
        {"details", no_argument, NULL, 'd'},
        {"restart", required_argument, NULL, 'r'},
        {"medium", required_argument, NULL, 'm'},
        {"rep", required_argument, NULL, 'n'},
        {NULL, 0, NULL, 0},
    };
    int option, index = 0;
    while ((option = getopt_long(argc, argv, "", known, &index)) != -1)
        take(option, known[index].name);
    if (optind + 1 != argc || options.endpoints == NULL || zookeeper.pids == NULL) {
        fputs("Usage: zookeeper-load --endpoints LIST --pids DIR [OPTION...] WORKLOAD\n"
              "The other options are those of coord-bench, and --placement leader, follower or "
              "spread.\n",
              stderr);
        return 2;
    }
    const struct workload *w = workload_of(argv[optind]);
    if (options.clients == 0 || options.inflight < options.clients)
        die("--clients and --inflight: one operation for each connection, or more");
    (void)signal(SIGPIPE, SIG_IGN);
    zoo_set_debug_level((ZooLogLevel)0); /* none */
    value_fill();
    if (w->run != NULL)
        w->run();
    else
        many(w->what, w->clients > 0 ? w->clients : options.clients,
             w->inflight > 0 ? w->inflight : options.inflight);
    if (w->run != warm_up)
        report_end("zookeeper", w->name, zookeeper.placement);
    return EXIT_SUCCESS;
}
