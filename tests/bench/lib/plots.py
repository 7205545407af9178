"""What is drawn, as scripts for gnuplot, from the lines of a run."""

import statistics

from workloads import ALL, CURVE, TUNED

# As the eye tells them apart on a bright and on a dark ground.
COLOURS = {"coord": "#0072b2", "etcd": "#d55e00", "zookeeper": "#009e73", "etcd-tuned": "#cc79a7"}
SPREADS = {"write-latency": "a write, one under way", "read-latency": "a read, one under way",
           "lock-cycle": "acquire and release a free lock",
           "write-throughput-1000": "a write, 1,000 under way"}
SVG = 'set terminal svg size 720,420 background "#ffffff" font "sans-serif,13"'
NAMES = (*ALL, TUNED)


def of(results, workload):
    """The lines of each service that has some."""
    found = {name: [r for r in results if r["workload"] == workload and r["peer"] == name]
             for name in NAMES}
    return {name: some for name, some in found.items() if some}


def script(title, axes, lines, settings=()):
    """lines: the points (x, y) of each service. axes: what x and y are."""
    text = [SVG, f'set title "{title}"', f'set xlabel "{axes[0]}"', f'set ylabel "{axes[1]}"',
            "set grid", "set key outside right", *settings]
    for number, points in enumerate(lines.values()):
        text += [f"$points{number} << END", *(f"{x} {y}" for x, y in points), "END"]
    plots = [f'$points{number} using 1:2 with lines linewidth 2 linecolor rgb "{COLOURS[name]}" '
             f'title "{name}"' for number, name in enumerate(lines)]
    return "\n".join([*text, "plot " + ", \\\n    ".join(plots), ""])


# ---- throughput against calls under way ----

def curve(results, kind):
    lines = {}
    for inflight in CURVE:
        for name, some in of(results, f"{kind}-curve-{inflight}").items():
            rate = statistics.median(r["ops_per_s"] for r in some)
            lines.setdefault(name, []).append((inflight, round(rate)))
    return lines


# ---- how latencies are spread ----

def spread(lines):
    """Milliseconds, and the share that took no longer, in percent: of all repetitions."""
    counts = {}
    for line in lines:
        for start_us, count in line.get("buckets", ()):
            counts[start_us] = counts.get(start_us, 0) + count
    total, so_far, points = sum(counts.values()), 0, []
    for start_us in sorted(counts):
        so_far += counts[start_us]
        points.append((start_us / 1000, round(100 * so_far / total, 3)))
    return points


# ---- a leader is killed ----

def timeline(lines):
    """Milliseconds since the kill, and writes in a second: the mean of all kills."""
    kills = [(line, steps) for line in lines for steps in line.get("timelines", ())]
    if not kills:
        return []
    step_ms, before_ms = kills[0][0]["timeline_step_ms"], kills[0][0]["timeline_before_ms"]
    means = map(statistics.mean, zip(*(steps for _, steps in kills)))
    return [(i * step_ms - before_ms, round(1000 * mean / step_ms)) for i, mean in enumerate(means)]


def some_points(lines):
    return {name: points for name, points in lines.items() if points}


def all_plots(results):
    """The scripts by the names of the files that they draw; those without data are left out."""
    drawn = {}
    for kind in ("write", "read"):
        drawn[f"{kind}-curve"] = (f"{kind}s: throughput", ("under way", "a second"),
                                  curve(results, kind), ("set logscale xy",))
    for workload, what in SPREADS.items():
        lines = {name: spread(some) for name, some in of(results, workload).items()}
        drawn[f"{workload}-spread"] = (what, ("ms", "took no longer, %"), lines,
                                       ("set logscale x", "set yrange [0:100]"))
    lines = {name: timeline(some) for name, some in of(results, "failover").items()}
    drawn["failover"] = ("the leader is killed at 0", ("ms", "writes a second, of one client"),
                         lines, ("set xrange [-500:2500]",))
    return {name: script(title, axes, some_points(points), settings)
            for name, (title, axes, points, settings) in drawn.items() if some_points(points)}
