"""tests/torture --mutants: does it find bugs that are known to be there? Each run is one of
tests/torture of its own, with servers and clients that have the bug."""

import contextlib
import os
import re
import shutil
import statistics
import sys
import tempfile

import cell
import mutant

# Of tests/mutants.d those that torture must find by itself, as an anomaly.
BUGS = ("belief-from-receipt", "keepalive-without-lease", "lease-from-receipt", "quorum-of-two",
        "read-without-lease", "timers-not-restarted")
MINUTES = 6  # for each, if nothing else is said
SOUND_MINUTES = 0.7
BUILD_S = 1800
OK, LIVES, USAGE, ANOMALY = 0, 1, 2, 10


class Try:
    def __init__(self, torture, arguments, minutes):
        """Of the program `torture`, to its end."""
        top = tempfile.mkdtemp(prefix="coord-torture-known-")
        done = cell.run([torture, "--minutes", str(minutes), *arguments],
                        BUILD_S + 4 * 60 * minutes, env={**os.environ, "TMPDIR": top})
        self.status = done.returncode
        self.said = done.stdout + done.stderr
        judged = re.findall(r"^ *([\d.]+) s  judged", done.stdout, re.M)
        self.seconds = float(judged[-1]) if judged else 0.0
        self.by = sorted(set(re.findall(r"^ANOMALY (\w+):", done.stdout, re.M)))
        if self.status == ANOMALY:
            shutil.rmtree(top, ignore_errors=True)
        else:
            with contextlib.suppress(OSError):
                os.rmdir(top)  # unless something was kept in it

    def verdict(self):
        return (self.said.strip().splitlines() or ["nothing said"])[-1]


def _row(cells):
    print(f"| {cells[0]:26} | {cells[1]:9} | {cells[2]:>6} | {cells[3]:>5} | {cells[4]} |", flush=True)


def _sound(torture, root):
    """The tree as it is must pass: else anything would be found."""
    top = tempfile.mkdtemp(prefix="coord-torture-known-")
    try:
        programs = mutant.build(root, None, top)
        sound = Try(torture, ["--until-found", "--bin", programs], SOUND_MINUTES)
    finally:
        shutil.rmtree(top, ignore_errors=True)
    return sound


def find_all(torture, root, options):
    names = options.mutants or BUGS
    try:
        for name in names:
            mutant.patch_of(root, name)
        sound = _sound(torture, root)
    except mutant.Broken as e:
        print(f"torture: {e}", file=sys.stderr)
        return USAGE
    if sound.status != OK:
        print(f"torture: the tree as it is does not pass:\n{sound.said}")
        return USAGE
    _row(("bug", "found", "median", "worst", "by"))
    _row(("---", "---", "---", "---", "---"))
    lives = []
    for name in names:
        tries = [Try(torture, ["--mutant", name], options.minutes or MINUTES)
                 for _ in range(options.tries)]
        found = [t for t in tries if t.status == ANOMALY]
        seconds = [t.seconds for t in found]
        by = [checker for t in found for checker in t.by]
        _row((name, f"{len(found)} of {len(tries)}",
              f"{statistics.median(seconds):.0f} s" if found else "-",
              f"{max(seconds):.0f} s" if found else "-",
              ", ".join(sorted(set(by), key=lambda checker: (-by.count(checker), checker)))))
        lives += [(name, t) for t in tries if t.status != ANOMALY]
    for name, live in lives:
        print(f"torture: {name} was not found, status {live.status}: {live.verdict()}")
    print(f"torture: {len(names) - len({name for name, _ in lives})} of {len(names)} bugs found")
    return LIVES if lives else OK
