"""The clients: programs torture-client (client.c), one at a host, each with many sessions.

Each has a history of its own. A chapter is the time from begin() to end(), with a folder of
its own in the cell, so that what is to be judged together stays of a size. A client that
was killed is replaced within its chapter.
"""

import os
import subprocess
import time

import cell

CLIENT = os.path.join(cell.HELPERS, "torture-client")
WORKERS = ("registers=4", "readers=1", "locks=4", "keepers=5", "elections=2", "watches=2")
NUMBERS_EACH = 64  # of the history, for each process
END_S = 60  # for a client to end what it has begun


class Client:
    def __init__(self, host, history):
        self.host = host
        self.history = history
        self.process = None
        self.is_paused = False
        self.meant_to_run = False

    def start(self, arguments):
        with open(self.history + ".log", "ab") as log:
            self.process = cell.spawn(arguments, stdin=subprocess.PIPE, stdout=log, stderr=log)
        self.meant_to_run = True

    def is_running(self):
        return self.process is not None and self.process.poll() is None

    def pause(self):
        self.is_paused = True
        self.process.send_signal(cell.signal.SIGSTOP)

    def resume(self):
        self.process.send_signal(cell.signal.SIGCONT)
        self.is_paused = False

    def kill(self):
        self.meant_to_run = False
        self.process.kill()
        self.process.wait()
        self.process.stdin.close()

    def complained(self):
        with open(self.history + ".log", encoding="utf-8", errors="replace") as file:
            return file.read()[-1000:]


class Clients:
    def __init__(self, network, endpoints, hosts, top, seed):
        self.network = network
        self.endpoints = endpoints
        self.hosts = hosts
        self.top = os.path.join(top, "histories")
        self.seed = seed
        self.chapter = 0
        self.running = []
        self.histories = []  # of the chapters that are over
        self.last = []  # of this one
        self.started = 0
        os.makedirs(self.top)

    def _start(self, host):
        self.started += 1
        history = os.path.join(self.top, f"{self.chapter:03}-{self.started:04}")
        client = Client(host, history)
        arguments = [CLIENT, self.endpoints, history, f"/t{self.chapter}",
                     str(self.started * NUMBERS_EACH), str(self.seed), *WORKERS]
        client.start(self.network.inside(host, arguments))
        self.last.append(history)
        return client

    def begin(self):
        self.chapter += 1
        self.last = []
        self.running = [self._start(host) for host in self.hosts]

    def end(self):
        """Waits until they have ended what they had begun; False: one did not."""
        for client in self.running:
            if client.is_paused:
                client.resume()
            client.meant_to_run = False
            client.process.stdin.close()
        end = time.monotonic() + END_S
        ended = True
        for client in self.running:
            try:
                status = client.process.wait(max(end - time.monotonic(), 0.1))
                ended = ended and status == 0
            except subprocess.TimeoutExpired:
                ended = False
        if ended:
            self.running = []
            self.histories += self.last
            self.last = []
        return ended

    def replace(self, client):
        client.kill()
        self.running[self.running.index(client)] = self._start(client.host)

    def ended_by_itself(self):
        return next((c for c in self.running if c.meant_to_run and not c.is_running()), None)

    def close(self):
        for client in self.running:
            client.kill()
