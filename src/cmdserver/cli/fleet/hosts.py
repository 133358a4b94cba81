"""The work of ``cmdserver hosts``: who of a fleet is there, and who becomes known."""

import json
from collections.abc import Sequence

import click

from cmdserver.cli.fleet import connecting
from cmdserver.cli.fleet.connecting import Access, FleetSettings
from cmdserver.cli.fleet.options import CallerOptions
from cmdserver.cli.notes import note, print_table
from cmdserver.core.escaping import printable_line
from cmdserver.fleet.bus import Bus
from cmdserver.fleet.client.choosing import split_globs
from cmdserver.fleet.client.known_hosts import add
from cmdserver.fleet.client.outcomes import MISSING, UNVERIFIED
from cmdserver.fleet.client.roll_call import Calling, Present, RollCall, Unknown

_HEADINGS = ("HOST", "STATE", "SINCE", "VERSION", "FACTS")
_NOTHING = "-"


def hosts(
    ctx: click.Context, texts: Sequence[str], seconds: float, given: CallerOptions, *, accepts_new: bool, is_json: bool
) -> int:
    """Ask who is there, and print it; return the exit status."""
    try:
        globs = split_globs(texts)
    except ValueError as error:
        raise click.UsageError(str(error)) from error
    fleet, access = connecting.read_fleet(ctx), connecting.find_access(given)
    waits = accepts_new or not access.known.matching(globs)
    found = connecting.run(lambda: _call(fleet, access, globs, seconds, waits_for_unknown=waits), lambda: False)
    if accepts_new:
        _accept(access, found)
    missing = [name for name in access.known.matching(globs) if name.lower() not in found.present]
    if is_json:
        click.echo(json.dumps(_as_json(found, missing)))
    else:
        _print(access, found, missing)
    return 0 if found.present and not missing else 1


async def _call(
    fleet: FleetSettings, access: Access, globs: Sequence[str], seconds: float, *, waits_for_unknown: bool
) -> RollCall:
    exchange = connecting.exchange(fleet, access)
    bus = Bus(fleet.bus, f"cmdserver hosts {access.user}", exchange.subscribe, connecting.jitter)
    async with connecting.connected(bus):
        calling = Calling(exchange, bus, access.known, connecting.clock)
        return await calling.call(globs, seconds, waits_for_unknown=waits_for_unknown)


def _accept(access: Access, found: RollCall) -> None:
    """Make hosts known that are not; what each has told is known already."""
    new = found.new_keys()
    if new:
        add(access.known_hosts_file, new)
    for (lower, key), unknown in list(found.unknown.items()):
        if new.get(unknown.name) == key and key is not None:
            note(f"{unknown.name} is known now, by {unknown.fingerprint}")
            found.present[lower] = Present(unknown.name, unknown.seconds, unknown.said)
            del found.unknown[lower, key]
        elif unknown.key is not None:
            why = unknown.why if unknown.is_known_name else "several keys have answered, among them"
            note(f"{unknown.name} does not become known: {why} {unknown.fingerprint}")


def _listed(found: RollCall, missing: Sequence[str]) -> tuple[list[Present], list[str], list[Unknown]]:
    """Return whom to list: who is there, who is silent, and who is unverified; each by name."""
    present = [each for _, each in sorted(found.present.items())]
    unknown = [each for _, each in sorted(found.unknown.items(), key=lambda item: item[0][0])]
    doubted = {lower for lower, _ in found.unknown}
    return present, [name for name in missing if name.lower() not in doubted], unknown


def _print(access: Access, found: RollCall, missing: Sequence[str]) -> None:
    present, silent, unknown = _listed(found, missing)
    rows = [(each.name, _state(each), *_told(each)) for each in present]
    rows += [(name, MISSING, _NOTHING, _NOTHING, "") for name in silent]
    rows += [(each.name, UNVERIFIED, _NOTHING, _NOTHING, f"{each.why} {each.fingerprint}".strip()) for each in unknown]
    print_table(_HEADINGS, rows)
    click.echo(f"{len(found.present)} there, {len(missing)} missing, {len(found.unknown)} unverified")
    if found.new_keys() and not access.known.hosts:
        note("nobody is known yet: cmdserver hosts --accept-new adds those whose fingerprints you have compared")


def _state(present: Present) -> str:
    """Say in a word that a host that is there tells of itself, or why it does not."""
    if "error" not in present.answer:
        return "present"
    error = present.answer["error"]
    return printable_line(str(error.get("code", "refused") if isinstance(error, dict) else "refused"))


def _told(present: Present) -> tuple[str, str, str]:
    facts = " ".join(f"{key}={value}" for key, value in present.facts.items())
    since, version = (printable_line(_text(present, key) or _NOTHING) for key in ("since", "version"))
    return since, version, printable_line(facts)


def _text(present: Present, key: str) -> str | None:
    value = present.answer.get(key)
    return value if isinstance(value, str) else None


def _as_json(found: RollCall, missing: Sequence[str]) -> dict[str, object]:
    present, silent, unknown = _listed(found, missing)
    said = [
        {
            "host": each.name,
            "state": _state(each),
            "seconds": round(each.seconds, 3),
            "version": _text(each, "version"),
            "since": _text(each, "since"),
            "facts": dict(each.facts),
        }
        for each in present
    ]
    said += [{"host": name, "state": MISSING} for name in silent]
    said += [
        {"host": each.name, "state": UNVERIFIED, "fingerprint": each.fingerprint or None, "why": each.why}
        for each in unknown
    ]
    summary = {"present": len(found.present), "missing": list(missing), "unverified": len(found.unknown)}
    return {"hosts": said, "summary": summary}
