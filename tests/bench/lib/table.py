"""The table: medians, how we stand to the others, and whether that is enough."""

import json
import statistics

from workloads import OURS, ROWS

MEMBERS = 5


def last_run(path):
    """The lines of the run that was the last to write there."""
    with open(path, encoding="utf-8") as file:
        lines = [json.loads(line) for line in file]
    last = lines[-1].get("run") if lines else None
    return [r for r in lines if r.get("run") == last]


def by_repetition(results, row, service):
    """What was measured: a repetition's number, and the value of the row."""
    return {r["rep"]: r[row.field] for r in results
            if r["workload"] == row.workload and r["peer"] == service and row.field in r}


def better(row, numbers):
    return max(numbers) if row.more_is_better else min(numbers)


def ratios(results, row):
    """Ours to the better of the others, in each repetition that has both."""
    ours = by_repetition(results, row, OURS)
    theirs = [by_repetition(results, row, name) for name in row.against]
    each = []
    for repetition, number in sorted(ours.items()):
        others = [t[repetition] for t in theirs if repetition in t]
        if others and better(row, others) > 0:
            each.append(number / better(row, others))
    return each


def compared(results, row):
    """The ratio, and yes, no or -: is the target met?"""
    each = ratios(results, row)
    ratio = statistics.median(each) if each else None
    if row.target is None:
        return ratio, "-"
    number = ratio
    if not row.target.ratio:
        ours = by_repetition(results, row, OURS)
        number = statistics.median(ours.values()) if ours else None
    if number is None:
        return ratio, "-"
    return ratio, "yes" if row.target.is_met(number) else "**no**"


# ---- what it looks like ----

def shown(row, number):
    if row.unit == "/s":
        return f"{number:,.0f}/s"
    if row.unit == "%":
        return f"{number:.1f} %"
    if row.unit == "MiB":
        return f"{number / MEMBERS / 1024:.1f} MiB"
    if row.unit == "KiB":
        return f"{number / 1024:.1f} KiB"
    return f"{number / 1000:,.0f} ms" if number >= 100000 else f"{number / 1000:.2f} ms"


def cell(results, row, service):
    numbers = by_repetition(results, row, service).values()
    if not numbers:
        return "-"
    text = shown(row, statistics.median(numbers))
    if len(numbers) > 1:
        text += f" ({shown(row, min(numbers))} to {shown(row, max(numbers))})"
    return text


def row_line(results, row, services):
    ratio, met = compared(results, row)
    columns = [row.label, *(cell(results, row, name) for name in services),
               "-" if ratio is None else f"{ratio:.2f} x",
               "-" if row.target is None else row.target.text(), met]
    return "| " + " | ".join(columns) + " |"


def cost_lines(results, services):
    """What an operation costs, which depends less on what else the machine does."""
    def cost(workload, service):
        each = [1000 * r["server_cpu_s"] / r["ops"] for r in results
                if r["workload"] == workload and r["peer"] == service
                and r.get("server_cpu_s") and r.get("ops")]
        return f"{statistics.median(each):.3f}" if each else "-"
    lines = ["| processor time of all servers, ms an operation | " + " | ".join(services) + " |",
             "|---|" + "--:|" * len(services)]
    timed = dict.fromkeys(row.workload for row in ROWS if row.unit in ("ms", "/s"))
    for workload in timed:
        costs = [cost(workload, name) for name in services]
        if set(costs) != {"-"}:
            lines.append(f"| `{workload}` | " + " | ".join(costs) + " |")
    return lines


def lines(results, services):
    """As Markdown. A row without any number is left out."""
    text = ["| | " + " | ".join(services) + " | ours to the better other | target | met |",
            "|---|" + "--:|" * (len(services) + 2) + "---|"]
    text += [row_line(results, row, services) for row in ROWS
             if any(by_repetition(results, row, name) for name in (OURS, *row.against))]
    text += ["", *cost_lines(results, services)]
    quiet = [r["foreign_cores"] for r in results if "foreign_cores" in r]
    if quiet:
        text += ["", f"Busy elsewhere on the machine, in cores: median "
                     f"{statistics.median(quiet):.2f}, at most {max(quiet):.2f}."]
    return text
