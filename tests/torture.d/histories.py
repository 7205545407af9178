"""What the clients noted: counted here, judged by coord-history (tests/history)."""

import collections
import os
import subprocess

import cell

JUDGE = os.path.join(cell.BIN, "coord-history")
ANOMALY, GAVE_UP = 10, 11  # its status
CALLS = {"get": "reads", "stat": "reads", "put": "writes", "create": "writes", "delete": "writes",
         "transaction": "transactions", "acquire": "acquires", "try": "acquires",
         "release": "releases", "check": "checks", "watch": "watches", "open": "sessions"}
PERHAPS = {"MAYBE_APPLIED", "JEOPARDY", "INTERNAL"}
NOT_DONE = {"TIMEOUT", "UNAVAILABLE", "CANCELLED", "THROTTLED"}


def outcome(error, words):
    if error == "OK":
        return "done"
    if error in PERHAPS or (error == "EXPIRED" and "not-applied=1" not in words):
        return "unknown"
    return "not done" if error in NOT_DONE or error == "EXPIRED" else "refused"


class Counts:
    """Of all histories that were added."""

    def __init__(self):
        self.calls = collections.Counter()  # (kind, outcome)
        self.events = 0
        self.beliefs = 0
        self.expired = 0  # sessions whose clients heard of it
        self.hand_offs = 0

    def add(self, files):
        grants = collections.defaultdict(list)
        for name in files:
            with open(name, encoding="ascii", errors="replace") as file:
                self._add_file(file, grants)
        for list_of_grants in grants.values():
            list_of_grants.sort()
            self.hand_offs += sum(a[1] != b[1]
                                  for a, b in zip(list_of_grants, list_of_grants[1:]))

    def _add_file(self, file, grants):
        asked = {}
        for line in file:
            words = line.split()
            if line[-1:] != "\n" or len(words) < 5:
                continue
            word, _, client, number, text = words[:5]
            if word == "invoke":
                asked[client, number] = (text, words[5] if len(words) > 5 else "")
            elif word == "return" and (client, number) in asked:
                op, path = asked.pop((client, number))
                if op in CALLS:
                    self.calls[CALLS[op], outcome(text, words)] += 1
                grant = next((w[6:] for w in words[5:] if w.startswith("grant=")), None)
                if grant is not None:
                    grants[path].append((int(grant), client))
            elif word == "belief":
                self.beliefs += 1
            elif word == "event":
                self.events += 1
            elif word == "session" and text == "expired":
                self.expired += 1
        for op, _ in asked.values():
            if op in CALLS:
                self.calls[CALLS[op], "unknown"] += 1


def judge(files, seconds):
    """(status, what it said) of coord-history."""
    try:
        done = cell.run(["nice", "-n", "5", JUDGE, *files], seconds)
    except subprocess.TimeoutExpired:
        return None, f"coord-history did not end within {seconds} s"
    return done.returncode, (done.stdout + done.stderr).strip()
