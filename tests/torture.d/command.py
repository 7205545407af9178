"""The command tests/torture, once its arguments are known: a run, its summary, and what is
kept of it."""

import math
import os
import shutil
import sys

import cell
import run as runs

NAMES = ("coordd", "coordctl")


def missing():
    paths = [os.path.join(cell.BIN, name) for name in NAMES]
    paths += [runs.PROBE, runs.histories.JUDGE, runs.CLIENT]
    return [path for path in paths if not os.access(path, os.X_OK)]


def summary(run):
    """Lines of what happened, and those that must not be zero and are."""
    c, notes = run.counts, run.notes
    reigns, expired = len(run.cell.reigns()), len(run.cell.expired())
    print("\ncalls of the clients      done  refused  not done  unknown")
    kinds = sorted({kind for kind, _ in notes.calls})
    for kind in kinds:
        row = [notes.calls[kind, outcome] for outcome in
               ("done", "refused", "not done", "unknown")]
        print(f"  {kind:20} {row[0]:8} {row[1]:8} {row[2]:9} {row[3]:8}")
    facts = {
        "calls": sum(notes.calls.values()),
        "beliefs in locks": notes.beliefs,
        "events of watches": notes.events,
        "expiries of sessions": expired,
        "of which clients heard": notes.expired,
        "hand-offs of locks": notes.hand_offs,
        "leader changes": max(reigns - 1, 0),
        **{name: c[name] for name in sorted(c)},
    }
    if run.network.can_cut:
        facts.update({f"frames {name}": number for name, number in run.network.stats().items()})
    print()
    for name, number in facts.items():
        print(f"  {name:28} {number:9}")
    slowest = run.report.slowest
    print(f"  the slowest write took {slowest['write']} ms, hand-off {slowest['hand-off']} ms, "
          f"after or during what was done (bound: {runs.BOUND_S} s)")
    for what in run.cannot:
        print(f"  not done here: {what}")
    needed = {name: 1 for name in ("calls", "beliefs in locks", "events of watches",
                                   "expiries of sessions", "hand-offs of locks", "leader changes",
                                   "stops", "checks of progress")}
    needed["kills of the leader"] = run.options.needed
    if run.network.can_cut:
        needed["cuts"] = run.options.needed
    if any(server.small_disk for server in run.cell.servers):
        needed["full disks"] = 1
    return [f"{name}: {facts.get(name, 0)} of {count}" for name, count in needed.items()
            if facts.get(name, 0) < count]


def show_logs(run):
    for server in run.cell.servers if run.cell else []:
        if server.notices:
            print(f"  member {server.id} complained {len(server.notices)} times, last of:",
                  *server.notices[-3:], sep="\n    ")


def attempt(run):
    """(status, verdict)"""
    try:
        run.everything()
    except runs.NotPermitted as why:
        return runs.USAGE, f"it cannot be done here: {why}"
    except runs.Failed as why:
        if why.status != runs.USAGE:
            summary(run)
        return why.status, str(why)
    too_few = summary(run)
    if too_few:
        return runs.TOO_LITTLE, "too little was done: " + "; ".join(too_few)
    return runs.OK, "nothing is wrong"


def torture(options, top, prefix):
    runs.sweep(prefix)
    options.needed = max(1, math.floor(runs.PER_MINUTE * options.minutes))
    absent = missing()
    if absent:
        shutil.rmtree(top)
        print(f"torture: not built: {', '.join(absent)}", file=sys.stderr)
        return runs.USAGE
    print(f"torture: {options.minutes:g} minutes, seed {options.seed}, in {top}", flush=True)
    run = runs.Run(options, top)
    keep = options.keep
    try:
        status, verdict = attempt(run)
        keep = keep or status not in (runs.OK, runs.USAGE)
        run.report.end()
        if keep:
            show_logs(run)
            run.keep()
    except KeyboardInterrupt:
        keep = False
        raise
    except BaseException:
        keep = True
        run.keep()
        raise
    finally:
        run.close()
        if keep:
            open(os.path.join(top, "kept"), "w", encoding="ascii").close()
            print(f"torture: kept: {top}")
        else:
            shutil.rmtree(top, ignore_errors=True)
    print(f"torture: {verdict}")
    return status
