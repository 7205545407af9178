// etcd-load measures an etcd cluster whose servers run on this machine, with the
// shapes of coord-bench, and prints a line with the same fields.
//
// It is built from Debian's packages of Go sources, without a module or a download:
// ../build does.
package main

import (
	"flag"
	"fmt"
	"os"
	"strings"
	"time"
)

// How a workload is asked for; coord-bench has the same names.
type request struct {
	endpoints []string
	pids      string
	placement string
	medium    string
	restart   string
	seconds   float64
	warmup    float64
	count     int
	clients   int
	inflight  int
	rep       int
	details   bool
}

var asked request

// What the program can measure. Only those that are named in ../README.md are
// meant to be compared.
var workloads = map[string]func(){
	"warmup":                      warmUp,
	"write-latency":               func() { oneByOne(put) },
	"write-throughput":            func() { manyAtOnce(put, asked.clients, asked.inflight) },
	"write-throughput-1000":       func() { manyAtOnce(put, 10, 1000) },
	"write-throughput-100x1":      func() { manyAtOnce(put, 100, 100) },
	"read-latency":                func() { oneByOne(get) },
	"read-throughput":             func() { manyAtOnce(get, asked.clients, asked.inflight) },
	"read-throughput-1000":        func() { manyAtOnce(get, 10, 1000) },
	"read-throughput-100x1":       func() { manyAtOnce(get, 100, 100) },
	"stale-read-latency":          func() { oneByOne(getStale) },
	"stale-read-throughput-1000":  func() { manyAtOnce(getStale, 10, 1000) },
	"stale-read-throughput-100x1": func() { manyAtOnce(getStale, 100, 100) },
	"lock-cycle":                  lockCycle,
	"lock-contended":              lockContended,
	"election":                    func() { elect(false) },
	"election-close":              func() { elect(true) },
	"failover":                    failover,
	"watch-fanout":                func() { fanOut(100) },
	"watch-fanout-1000conns":      func() { fanOut(watchesTotal) },
	"idle":                        serversAlone,
	"sessions":                    func() { idleSessions(100, 2000) },
	"sessions-2000conns":          func() { idleSessions(2000, 2000) },
	"rss-100k":                    func() { makeKeys(100000) },
	"rss":                         memoryNow,
}

func fail(format string, arguments ...interface{}) {
	fmt.Fprintf(os.Stderr, "etcd-load: "+format+"\n", arguments...)
	os.Exit(1)
}

func must(err error, doing string) {
	if err != nil {
		fail("%s: %v", doing, err)
	}
}

func countOr(defined int) int {
	if asked.count > 0 {
		return asked.count
	}
	return defined
}

func inSeconds(s float64) time.Duration {
	return time.Duration(s * float64(time.Second))
}

func main() {
	endpoints := flag.String("endpoints", "", "`HOST:PORT,...` of all servers, the first one's first")
	flag.StringVar(&asked.pids, "pids", "", "the `DIR` where server N's process is in N.pid")
	flag.StringVar(&asked.placement, "placement", "spread", "leader, follower or spread")
	flag.StringVar(&asked.medium, "medium", "disk", "for the line")
	flag.StringVar(&asked.restart, "restart", "", "shell `command` that starts server {id} again")
	flag.Float64Var(&asked.seconds, "seconds", 10, "of a workload without a count")
	flag.Float64Var(&asked.warmup, "warmup", 7, "seconds of the workload warmup")
	flag.IntVar(&asked.count, "count", 0, "operations of a workload that counts them")
	flag.IntVar(&asked.clients, "clients", 10, "connections of write- and read-throughput")
	flag.IntVar(&asked.inflight, "inflight", 1000, "their operations under way")
	flag.IntVar(&asked.rep, "rep", 0, "for the line")
	flag.BoolVar(&asked.details, "details", false, "also the distribution of latencies")
	flag.Parse()
	run, known := workloads[flag.Arg(0)]
	if !known || flag.NArg() != 1 || *endpoints == "" || asked.pids == "" {
		fmt.Fprintln(os.Stderr, "Usage: etcd-load --endpoints LIST --pids DIR [OPTION...] WORKLOAD")
		flag.PrintDefaults()
		os.Exit(2)
	}
	if asked.clients < 1 || asked.inflight < asked.clients {
		fail("--clients and --inflight: one operation for each connection, or more")
	}
	asked.endpoints = strings.Split(*endpoints, ",")
	run()
	leaveSessions()
	if flag.Arg(0) != "warmup" {
		printLine(flag.Arg(0))
	}
}
