"""From the results of a run to tables in Markdown; each number is the median of the rounds."""

from collections.abc import Callable, Iterable, Sequence
from statistics import median
from typing import Any

import ssh_part

#: As the tables call them, in their order.
_TITLES = {
    "naive": "naive Twisted",
    "xinetd": "xinetd",
    "unshared": "cmdserver, unshared",
    "shared": "cmdserver, shared",
}
_WEB_TITLES = {
    "webhook": "webhook",
    "web-unshared": "cmdserver, unshared",
    "web-shared": "cmdserver, shared",
}
_NOTHING = "-"
_KINDS = ("rss", "pss")
#: How much the bare limit may move between the two ends of a block.
_STEADY = 0.15

Results = dict[str, Any]
#: What one round has measured about something, by target.
Round = dict[str, Any]


def tables(results: Results) -> str:
    """Say everything that the run has found."""
    about = results["about"]
    parts = [f"{about['what']}; {about['host']}; {about['time']}; {about['busy']}."]
    if unsteady := _unsteady(results):
        parts.append(unsteady)
    if results["throughput"]:
        rounds = _by(results["throughput"], "callers")
        parts += [_rates(rounds), _latencies(rounds), _cpu(rounds)]
    if results["web"]:
        parts += _web(_by(results["web"], "callers"))
    if results["idle"]:
        parts += [_idle(results), _memory(results["idle"])]
    if results["startup"]:
        parts.append(_startup(results["startup"]))
    if results["ssh"]:
        parts.append(ssh_part.tables(results["ssh"]))
    if results["throughput"] or results["web"] or results["idle"]:
        parts.append(_answers(results))
    if results["notes"]:
        parts.append("\n".join(f"- {note}" for note in results["notes"]))
    return "\n\n".join(parts) + "\n"


def is_sound(results: Results) -> bool:
    """Whether cmdserver has answered everybody, rightly, and written all of it down."""
    return (
        not any(cell["errors"] for target, cell in _cells(results) if target.endswith("shared"))
        and (not results["ssh"] or ssh_part.is_sound(results["ssh"]))
        and all(each["audited"] >= each["answered"] for each in results["audit"])
        and all(
            each["check"]["open"] == each["check"]["held"] and each["ask"]["answered"] == each["ask"]["asked"]
            for each in results["idle"]
        )
    )


# The tables


def _unsteady(results: Results) -> str:
    """Say how often the host itself changed while it was measured."""
    pairs = [each["limits"] for each in [*results["throughput"], *results["web"], *results["idle"]]]
    count = sum(max(pair) - min(pair) > _STEADY * max(pair) for pair in pairs)
    if not count:
        return ""
    return (
        f"**In {count} of {len(pairs)} blocks the bare limit moved by more than {_STEADY:.0%}: "
        "something else was running, and the ratios mean little.**"
    )


def _rates(rounds: dict[int, list[Round]]) -> str:
    rows = []
    for callers, measured in rounds.items():
        row = [str(callers), _number(each["limit"] for each in measured)]
        for target in ("naive", "xinetd", "unshared", "shared"):
            row += [_rate(measured, target), _ratio(measured, target)]
        rows.append(row)
    head = ["callers", "bare limit/s"]
    for target in ("naive", "xinetd", "unshared", "shared"):
        head += [f"{_TITLES[target]}/s", "of limit"]
    return _titled("A connection per request", _table(head, rows))


def _latencies(rounds: dict[int, list[Round]]) -> str:
    rows = []
    for callers, measured in rounds.items():
        rows.append([str(callers), *(_percentiles(measured, target) for target in _TITLES)])
    head = ["callers", *_TITLES.values()]
    return _titled("Milliseconds from the call to the end of the answer, p50 / p99", _table(head, rows))


def _cpu(rounds: dict[int, list[Round]]) -> str:
    targets = ("naive", "unshared", "shared")
    rows = []
    for callers, measured in rounds.items():
        servers = [_of(measured, target, lambda cell: cell["server_cpu_ms"], 3) for target in targets]
        rows.append([str(callers), *servers, _of(measured, "unshared", lambda cell: cell["load_cpu_ms"], 3)])
    head = ["callers", *(_TITLES[target] for target in targets), "the load generator"]
    return _titled("The process's own CPU milliseconds per request", _table(head, rows))


def _web(rounds: dict[int, list[Round]]) -> list[str]:
    """Say what HTTP costs, in multiples of webhook."""
    rates, latencies, cpu = [], [], []
    for callers, measured in rounds.items():
        rate = [str(callers), _number(each["limit"] for each in measured), _rate(measured, "webhook")]
        for target in ("web-unshared", "web-shared"):
            rate += [_rate(measured, target), _multiple(measured, target, "webhook")]
        rates.append(rate)
        latencies.append([str(callers), *(_percentiles(measured, target) for target in _WEB_TITLES)])
        servers = [_of(measured, target, lambda cell: cell["server_cpu_ms"], 3) for target in _WEB_TITLES]
        cpu.append([str(callers), *servers])
    head = ["callers", "bare limit/s", "webhook/s"]
    for target in ("web-unshared", "web-shared"):
        head += [f"{_WEB_TITLES[target]}/s", "of webhook"]
    return [
        _titled("HTTP: a connection per request", _table(head, rates)),
        _titled("HTTP: milliseconds, p50 / p99", _table(["callers", *_WEB_TITLES.values()], latencies)),
        _titled(
            "HTTP: the process's own CPU milliseconds per request", _table(["callers", *_WEB_TITLES.values()], cpu)
        ),
    ]


def _multiple(measured: list[Round], target: str, other: str) -> str:
    both = [each["cells"] for each in measured if {target, other} <= set(each["cells"])]
    return _number((cells[target]["rate"] / cells[other]["rate"] for cells in both if cells[other]["rate"]), 2)


def _idle(results: Results) -> str:
    """Say what is left of the rate beside idle connections; each target was measured between limits of its own."""
    by_target = _by(results["idle"], "target")
    bare = _by(results["limit_with_descriptors"], "descriptors")
    rows = []
    for held, limits in bare.items():
        row = [str(held), _number(limit["rate"] for limit in limits)]
        for target in ("naive", "unshared", "shared"):
            measured = [
                {"limit": each["limit"], "cells": {target: each["cells"][held]}} for each in by_target.get(target, [])
            ]
            row += [_rate(measured, target), _ratio(measured, target)]
            if target != "naive":
                row.append(_percentiles(measured, target))
        rows.append(row)
    head = ["idle", "bare limit with as many descriptors/s", "naive Twisted/s", "of limit"]
    head += ["cmdserver, unshared/s", "of limit", "p50 / p99 ms", "cmdserver, shared/s", "of limit", "p50 / p99 ms"]
    return _titled("16 callers beside idle connections (the limit is that with none)", _table(head, rows))


def _memory(idle: list[Round]) -> str:
    rows = []
    for target, measured in _by(idle, "target").items():
        for held in measured[0]["memory"]:
            whole = [_number((each["memory"][held][kind] / 2**20 for each in measured), 1) for kind in _KINDS]
            grown = [_number(_growth(measured, held, kind)) if held else _NOTHING for kind in _KINDS]
            rows.append([_TITLES[target], str(held), *whole, *grown])
    head = ["server", "idle", "RSS MiB", "PSS MiB", "RSS bytes each", "PSS bytes each"]
    return _titled("Memory", _table(head, rows))


def _growth(measured: list[Round], held: int, kind: str) -> list[float]:
    return [(each["memory"][held][kind] - each["memory"][0][kind]) / held for each in measured]


def _startup(startup: dict[str, list[float]]) -> str:
    rows = [
        [_TITLES[target], f"{median(seconds) * 1e3:.0f}", f"{min(seconds) * 1e3:.0f}", f"{max(seconds) * 1e3:.0f}"]
        for target, seconds in startup.items()
    ]
    return _titled(
        "Milliseconds from exec to the first answer", _table(["server", "median", "fastest", "slowest"], rows)
    )


def _answers(results: Results) -> str:
    rows = []
    titles = _TITLES | {target: f"{title}, web" for target, title in _WEB_TITLES.items()}
    for target, title in titles.items():
        cells = [cell for name, cell in _cells(results) if name == target]
        if not cells:
            continue
        held = [each for each in results["idle"] if each["target"] == target]
        audit = [each for each in results["audit"] if each["target"] == target]
        rows.append(
            [
                title,
                str(sum(cell["answered"] for cell in cells)),
                str(sum(cell["wrong"] for cell in cells)),
                str(sum(cell["lost"] for cell in cells)),
                _share(held, "check", "open", "held"),
                _share(held, "ask", "answered", "asked"),
                f"{sum(each['audited'] for each in audit)} of {sum(each['answered'] for each in audit)}"
                if audit
                else _NOTHING,
            ]
        )
    head = ["server", "right", "wrong", "lost", "idle ones kept", "idle ones answered", "audited"]
    text = _titled("Answers (of cmdserver none may be wrong or lost)", _table(head, rows))
    bad = dict.fromkeys(f"- {name}: {cell['first_bad']}" for name, cell in _cells(results) if cell["first_bad"])
    return "\n\n".join([text, "\n".join(bad)]) if bad else text


# What they are made of


def _cells(results: Results) -> Iterable[tuple[str, dict[str, Any]]]:
    """Yield every measurement with load, with its target."""
    for block in [*results["throughput"], *results["web"]]:
        yield from block["cells"].items()
    for each in results["idle"]:
        for cell in [*each["cells"].values(), each.get("half_close")]:
            if cell is not None:
                yield each["target"], cell


def _by(measured: list[Round], key: str) -> dict[Any, list[Round]]:
    grouped: dict[Any, list[Round]] = {}
    for each in measured:
        grouped.setdefault(each[key], []).append(each)
    return dict(sorted(grouped.items()))


def _of(measured: list[Round], target: str, value: Callable[[dict[str, Any]], float | None], digits: int = 0) -> str:
    cells = [each["cells"][target] for each in measured if target in each["cells"]]
    return _number((found for cell in cells if (found := value(cell)) is not None), digits)


def _rate(measured: list[Round], target: str) -> str:
    return _of(measured, target, lambda cell: cell["rate"])


def _ratio(measured: list[Round], target: str) -> str:
    ratios = [each["cells"][target]["rate"] / each["limit"] for each in measured if target in each["cells"]]
    return _number(ratios, 2)


def _percentiles(measured: list[Round], target: str) -> str:
    p50 = _of(measured, target, lambda cell: cell["p50_ms"], 1)
    p99 = _of(measured, target, lambda cell: cell["p99_ms"], 1)
    return f"{p50} / {p99}" if p50 != _NOTHING else _NOTHING


def _share(measured: list[Round], check: str, part: str, whole: str) -> str:
    if not measured:
        return _NOTHING
    return f"{sum(each[check][part] for each in measured)} of {sum(each[check][whole] for each in measured)}"


def _number(values: Iterable[float], digits: int = 0) -> str:
    found = list(values)
    return f"{median(found):.{digits}f}" if found else _NOTHING


def _titled(title: str, table: str) -> str:
    return f"### {title}\n\n{table}"


def _table(head: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    lines = [head, ["---:" if number else "---" for number in range(len(head))], *rows]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)
