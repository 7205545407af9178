"""What is measured, what of it is compared, and how good it has to be.

A workload is run by a load program; a row of the table is one field of its line. Some
workloads give several rows, some none. The shapes are in ../peers/README.md."""

import dataclasses

OURS = "coord"
PEERS = ("etcd", "zookeeper")  # among which the better one is looked for
TUNED = "etcd-tuned"           # measured only where it says so
ALL = (OURS, *PEERS)

P50, RATE = "p50_us", "ops_per_s"
STILL_S = 20  # how long servers are watched that do nothing
CURVE_S = 3
CURVE = (1, 4, 16, 64, 256, 1024, 4096)  # operations under way
CURVE_CLIENTS = 10
COLD_START = "cold-start"


@dataclasses.dataclass(frozen=True)
class Workload:
    name: str
    placement: str = "spread"  # of the others' clients
    fresh: bool = False        # on a cluster of its own, before any load
    program: str = ""          # what the load programs call it, if not by its name
    arguments: tuple = ()
    among: tuple = ALL         # who can do it
    details: bool = False      # for the plots

    @property
    def command(self):
        return [*(("--details",) if self.details else ()), *self.arguments,
                self.program or self.name]


def _curve(kind):
    return [Workload(f"{kind}-curve-{n}", program=f"{kind}-throughput", arguments=(
        "--clients", str(min(n, CURVE_CLIENTS)), "--inflight", str(n), "--seconds", str(CURVE_S)))
        for n in CURVE]


_STILL = ("--seconds", str(STILL_S))

WORKLOADS = {w.name: w for w in [
    Workload("read-throughput-1000", details=True),
    Workload("read-throughput-100x1", details=True),
    Workload("write-throughput-1000", details=True),
    Workload("write-throughput-100x1", details=True),
    Workload("write-latency", "leader", details=True),
    Workload("read-latency", "leader", details=True),
    Workload("lock-cycle", "leader", details=True),
    Workload("lock-contended", details=True),
    Workload("watch-fanout", details=True),
    Workload("watch-fanout-1000conns", details=True),
    Workload("election", details=True),
    Workload("election-close", details=True),
    *_curve("write"),
    *_curve("read"),
    Workload("failover", among=(*ALL, TUNED), details=True),
    Workload(COLD_START, fresh=True),
    Workload("idle", fresh=True, arguments=_STILL),
    Workload("sessions", fresh=True, arguments=_STILL, among=(OURS, "etcd")),
    Workload("sessions-2000conns", fresh=True, arguments=_STILL),
    Workload("sessions-20000", fresh=True, arguments=_STILL, among=(OURS,)),
    Workload("rss-100k", fresh=True),
    Workload("rss-1m", fresh=True, among=(OURS,)),
]}
QUICK = [COLD_START, "read-throughput-1000", "write-throughput-1000", "write-latency",
         "read-latency", "lock-cycle", "lock-contended", "watch-fanout", "election", "failover"]
QUICK_ARGUMENTS = ("--seconds", "5")  # before the workload's own
QUICK_COUNTS = {"failover": ("--count", "2")}


@dataclasses.dataclass(frozen=True)
class Target:
    """A bound for our number: as such, or divided by the others'."""
    bound: float
    at_least: bool = False
    ratio: bool = True

    def text(self):
        sign = "≥" if self.at_least else "≤"
        return f"{sign} {self.bound:g} x" if self.ratio else f"{sign} {self.bound / 1e6:g} s"

    def is_met(self, number):
        return number >= self.bound if self.at_least else number <= self.bound


def most(bound):
    return Target(bound)


def least(bound):
    return Target(bound, at_least=True)


@dataclasses.dataclass(frozen=True)
class Row:
    label: str
    workload: str
    field: str
    unit: str                # "ms", "/s", "MiB" (of a server), "KiB", "%"
    target: Target = None    # none: told, but not judged
    against: tuple = PEERS   # the better of them

    @property
    def more_is_better(self):
        return self.unit == "/s"


RSS = "server_rss_kib"
TO_READY = Target(600000, ratio=False)  # microseconds

ROWS = [
    Row("write, 1 under way, p50", "write-latency", P50, "ms", most(0.85)),
    Row("writes, 1,000 under way on 10 connections", "write-throughput-1000", RATE, "/s",
        least(12)),
    Row("writes, 100 clients with 1 each", "write-throughput-100x1", RATE, "/s", least(2)),
    Row("read, 1 under way, p50", "read-latency", P50, "ms", most(0.5)),
    Row("reads, 1,000 under way on 10 connections", "read-throughput-1000", RATE, "/s",
        least(20)),
    Row("reads, 100 clients with 1 each", "read-throughput-100x1", RATE, "/s"),
    Row("lock and unlock, free, p50", "lock-cycle", P50, "ms", most(0.7)),
    Row("one lock, 50 contenders, hand-overs", "lock-contended", RATE, "/s", least(4)),
    Row("1,000 watches on 100 connections, last one told, p50", "watch-fanout", P50, "ms",
        most(0.5)),
    Row("1,000 watches on 1,000 connections, last one told, p50", "watch-fanout-1000conns", P50,
        "ms"),
    Row("election, 10 candidates, who leads resigns, p50", "election", P50, "ms", most(0.5)),
    Row("election, who leads closes its session, p50", "election-close", P50, "ms", most(0.5)),
    Row("leader killed until the next write, p50", "failover", P50, "ms", most(0.6)),
    Row("the same beside etcd that waits no longer than we do", "failover", P50, "ms",
        against=(TUNED,)),
    Row("processor time of servers without clients, of one core", "idle", "server_cpu_pct", "%"),
    Row("of them with 2,000 idle sessions on 100 connections", "sessions", "server_cpu_pct", "%"),
    Row("of them with 2,000 on 2,000 connections", "sessions-2000conns", "server_cpu_pct", "%",
        most(0.3)),
    Row("memory of all servers for each of those", "sessions-2000conns",
        "servers_bytes_per_session", "KiB", most(0.6)),
    Row("of them with 20,000 idle sessions on 1,000 connections", "sessions-20000",
        "server_cpu_pct", "%"),
    Row("memory of an empty server", COLD_START, RSS, "MiB", most(0.7), ("etcd",)),
    Row("memory of a server, 100,000 nodes of 100 bytes", "rss-100k", RSS, "MiB", most(0.4)),
    Row("memory of a server, 1,000,000 nodes", "rss-1m", RSS, "MiB"),
    Row("five empty servers started until all serve", COLD_START, P50, "ms", TO_READY),
]
