"""What is said while it goes on: a line for each thing that was done, and on a terminal
one more, at the bottom, of how it stands; and what was counted."""

import collections
import sys
import time

LINE_S = 0.5  # between two of the line at the bottom
WIDTH = 110


class Report:
    def __init__(self, quiet=False):
        self.began = time.monotonic()
        self.counts = collections.Counter()
        self.slowest = {"write": 0, "hand-off": 0}
        self.quiet = quiet
        self.has_terminal = sys.stdout.isatty()
        self._drawn = 0.0

    def seconds(self):
        return time.monotonic() - self.began

    def say(self, what, text):
        if self.quiet:
            return
        self._wipe()
        print(f"{self.seconds():7.1f} s  {what:9} {text}", flush=True)

    def count(self, what, number=1):
        self.counts[what] += number

    def took(self, write_ms, hand_off_ms):
        self.slowest["write"] = max(self.slowest["write"], write_ms)
        self.slowest["hand-off"] = max(self.slowest["hand-off"], hand_off_ms)

    def draw(self, text):
        now = time.monotonic()
        if self.has_terminal and now - self._drawn > LINE_S:
            self._drawn = now
            print("\r" + text[:WIDTH].ljust(WIDTH), end="", flush=True)

    def _wipe(self):
        if self.has_terminal:
            print("\r" + " " * WIDTH, end="\r")

    def end(self):
        self._wipe()
