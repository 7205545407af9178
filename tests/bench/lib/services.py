"""The services: five servers each, started fresh, loaded, and ended."""

import json
import os
import shlex
import subprocess
import time

import health
from machine import STOP_S, end, pids_in, rss_kib, run
from workloads import COLD_START, OURS

HERE = os.path.dirname(os.path.abspath(__file__))
CLUSTER = os.path.join(os.path.dirname(HERE), "peers", "cluster")
HOST = "127.0.0.1"
MEMBERS = 5
READY_S = 60
LOAD_S = 300     # for one workload
SETTLE_S = 2     # after a start
POLL_S = 0.005
WARMUP_S = 7
CELL = "0123456789abcdef0123456789abcdef"


class Service:
    """A folder of five servers, each with N.pid; and the program that loads them."""

    def __init__(self, name, options, folder, repetition):
        self.name, self.options, self.folder = name, options, folder
        self.common = ["--medium", options.medium, "--rep", str(repetition)]
        self.repetition = repetition

    def started(self, took_us):
        """The line of the start; memory is looked at a little later."""
        time.sleep(SETTLE_S)
        each = [rss_kib(pid) for pid in pids_in(self.folder)]
        if len(each) != MEMBERS:
            raise RuntimeError(f"{self.name}: {len(each)} of {MEMBERS} servers are there")
        return {"peer": self.name, "workload": COLD_START, "placement": "-",
                "medium": self.options.medium, "rep": self.repetition, "clients": 0,
                "inflight": 0, "ops": 1, "seconds": took_us / 1e6, "p50_us": took_us,
                "server_rss_kib": sum(each), "rss_each_kib": each, "tries": 1}

    def load(self, workload, more):
        text = run([*self.program(), *self.common, "--warmup", "0", "--restart", self.restart(),
                    *self.placement(workload), *more, *workload.command], LOAD_S)
        return {**json.loads(text), "peer": self.name, "workload": workload.name}

    def warm_up(self):
        run([*self.program(), *self.common, "--warmup", str(WARMUP_S), "warmup"], LOAD_S)

    def stop(self):
        end(self.folder)


class Coord(Service):
    def __init__(self, options, folder, repetition):
        super().__init__(OURS, options, folder, repetition)
        self.ports = range(options.port, options.port + MEMBERS)
        self.again = os.path.join(folder, "start-member")
        self.children = []

    def _binary(self, name):
        return os.path.join(self.options.bin, name)

    def _serve(self, number):
        return [self._binary("coordd"), "serve", "--dir", f"{self.folder}/{number}"]

    def _prepare(self):
        members = ",".join(f"{i + 1}={HOST}:{port}" for i, port in enumerate(self.ports))
        os.makedirs(self.folder)
        for i in range(1, MEMBERS + 1):
            run([self._binary("coordd"), "init", "--dir", f"{self.folder}/{i}", "--id", str(i),
                 "--cell", CELL, "--members", members], READY_S)
        program, folder = shlex.quote(self._binary("coordd")), shlex.quote(self.folder)
        with open(self.again, "w", encoding="utf-8") as file:
            file.write(f"cd {folder} || exit 1\n"
                       f"setsid {program} serve --dir {folder}/$1 </dev/null >>$1.log 2>&1 &\n"
                       "echo $! >$1.pid\n")

    def _spawn(self, number):
        with open(f"{self.folder}/{number}.log", "ab") as log:
            child = subprocess.Popen(self._serve(number), cwd=self.folder, stdout=log, stderr=log,
                                     stdin=subprocess.DEVNULL, start_new_session=True)
        self.children.append(child)
        with open(f"{self.folder}/{number}.pid", "w", encoding="ascii") as file:
            file.write(f"{child.pid}\n")

    def start(self):
        self._prepare()
        began = time.monotonic()
        for number in range(1, MEMBERS + 1):
            self._spawn(number)
        waiting = list(self.ports)
        while waiting:
            waiting = [port for port in waiting if not health.serves(HOST, port)]
            if waiting and time.monotonic() - began > READY_S:
                raise RuntimeError(f"servers at {waiting} do not serve after {READY_S} s")
            if waiting:
                time.sleep(POLL_S)
        return self.started(int((time.monotonic() - began) * 1e6))

    def program(self):
        endpoints = ",".join(f"{HOST}:{port}" for port in self.ports)
        return [self._binary("coord-bench"), "--endpoints", endpoints]

    def restart(self):
        return f"sh {shlex.quote(self.again)} {{id}}"

    def placement(self, _workload):
        """The library finds the leader: there is no choice."""
        return []

    def stop(self):
        super().stop()
        for child in self.children:
            child.wait(STOP_S)


class Peer(Service):
    def __init__(self, name, options, folder, repetition):
        super().__init__(name, options, folder, repetition)
        self.loader = os.path.join(options.peers_bin, name.partition("-")[0] + "-load")

    def _cluster(self, verb):
        return run([CLUSTER, self.name, verb, self.folder], READY_S + STOP_S)

    def start(self):
        return self.started(int(self._cluster("start")))

    def program(self):
        with open(os.path.join(self.folder, "endpoints"), encoding="ascii") as file:
            endpoints = file.read().strip()
        return [self.loader, "--endpoints", endpoints, "--pids", self.folder]

    def placement(self, workload):
        return ["--placement", workload.placement]

    def restart(self):
        return shlex.join([CLUSTER, self.name, "again", self.folder]) + " {id}"


def service(name, options, folder, repetition):
    if name == OURS:
        return Coord(options, folder, repetition)
    return Peer(name, options, folder, repetition)
