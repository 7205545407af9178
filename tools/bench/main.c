/* main.c - coord-bench: one workload against a cell whose servers run here. */
#define _GNU_SOURCE
#include <getopt.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "tools/bench/bench.h"

static void only_warm_up(void) {}

static const struct workload {
    const char *name;
    void (*run)(void);
    bool untouched; /* what it measures is before any load */
    const char *what;
} workloads[] = {
    {"write-latency", write_latency, false, "1 connection, 2,000 writes one by one"},
    {"write-throughput-1000", write_throughput_1000, false, "10 connections, 100 writes each"},
    {"write-throughput-100x1", write_throughput_100x1, false, "100 connections, 1 write each"},
    {"read-latency", read_latency, false, "1 connection, 2,000 reads one by one"},
    {"read-throughput-1000", read_throughput_1000, false, "10 connections, 100 reads each"},
    {"read-throughput-100x1", read_throughput_100x1, false, "100 connections, 1 read each"},
    {"write-throughput", write_throughput, false, "with --clients and --inflight"},
    {"read-throughput", read_throughput, false, "the same, of reads"},
    {"lock-cycle", lock_cycle, false, "acquire and release a free lock, 1,000 times"},
    {"lock-contended", lock_contended, false, "50 connections in a loop on one lock"},
    {"election", election, false, "10 candidates, 50 changes of leader"},
    {"election-close", election_close, false, "the same; the leader closes its session"},
    {"failover", failover, false, "kill -9 of the leader until the next write, 5 times"},
    {"watch-fanout", watch_fanout, false, "50 writes, each told to 10 watches on 100 connections"},
    {"watch-fanout-1000conns", watch_fanout_1000conns, false, "to 1 watch on 1,000 connections"},
    {"watch-session", watch_session, false, "200 writes, each told to 1,000 watches of a session"},
    {"idle", servers_alone, true, "servers without a client"},
    {"sessions", sessions, true, "2,000 sessions that do nothing, 20 to a connection"},
    {"sessions-20000", sessions_20000, true, "20,000 sessions, 20 to a connection"},
    {"sessions-2000conns", sessions_2000conns, true, "2,000 connections with one each"},
    {"sessions-of-one", sessions_of_one, true, "2,000 sessions of one connection"},
    {"rss-100k", nodes_100k, true, "100,000 new nodes, and what they take"},
    {"rss-1m", nodes_1m, true, "1,000,000 of them"},
    {"rss", servers_report_rss, true, "memory of the servers as they are"},
    {"warmup", only_warm_up, false, "load before other workloads; prints nothing"},
};

static void usage(FILE *out)
{
    fputs("Usage: coord-bench --endpoints HOST:PORT,... [OPTION...] WORKLOAD\n\n"
          "Measures a cell whose servers run on this machine; prints one JSON line.\n\n"
          "Workloads:\n",
          out);
    for (size_t i = 0; i < sizeof workloads / sizeof workloads[0]; i++)
        fprintf(out, "  %-22s  %s\n", workloads[i].name, workloads[i].what);
    fputs("\nOptions:\n"
          "  --endpoints LIST  the servers; default $COORD_ENDPOINTS\n"
          "  --warmup S        seconds of load before; default 7\n"
          "  --seconds S       how long a workload without a count runs; default 10\n"
          "  --count N         operations of a workload that counts them\n"
          "  --clients N       connections of write-throughput and read-throughput; default 10\n"
          "  --inflight N      their operations under way, of all together; default 1000\n"
          "  --details         also how latencies are spread, and the writes around a kill\n"
          "  --restart CMD     a shell command that starts server {id} again, and returns\n"
          "  --medium NAME     for the line: what the servers write to; default disk\n"
          "  --rep N           for the line: which repetition it is\n",
          out);
}

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
        options.clients = (uint32_t)option_number(name, optarg, CONNECTIONS_MAX);
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
    case 'h':
        usage(stdout);
        exit(EXIT_SUCCESS);
    default:
        usage(stderr);
        exit(2);
    }
}

int main(int argc, char **argv)
{
    static const struct option known[] = {
        {"endpoints", required_argument, NULL, 'e'},
        {"warmup", required_argument, NULL, 'w'},
        {"seconds", required_argument, NULL, 's'},
        {"count", required_argument, NULL, 'c'},
        {"clients", required_argument, NULL, 'l'},
        {"inflight", required_argument, NULL, 'i'},
        {"details", no_argument, NULL, 'd'},
        {"restart", required_argument, NULL, 'r'},
        {"medium", required_argument, NULL, 'm'},
        {"rep", required_argument, NULL, 'n'},
        {"help", no_argument, NULL, 'h'},
        {NULL, 0, NULL, 0},
    };
    int option, index = 0;
    options.endpoints = getenv("COORD_ENDPOINTS");
    while ((option = getopt_long(argc, argv, "", known, &index)) != -1)
        take(option, known[index].name);
    if (optind + 1 != argc || options.endpoints == NULL) {
        usage(stderr);
        return 2;
    }
    const struct workload *w = workload_of(argv[optind]);
    if (options.clients == 0 || options.inflight < options.clients)
        die("--clients and --inflight: one operation for each connection, or more");
    (void)signal(SIGPIPE, SIG_IGN);
    value_fill();
    servers_find();
    if (!w->untouched) {
        progress_start("warm-up");
        warm_up(options.warmup_s);
        progress_stop();
    }
    if (w->run != only_warm_up) {
        progress_start(w->name);
        w->run();
        progress_stop();
        report_end("coord", w->name, "leader");
    }
    servers_leave();
    return EXIT_SUCCESS;
}
