"""The part of the benchmark that speaks NRPE over TLS: cmdserver beside nrpe's own daemon, with the same certificate.

    python bench/nrpe.py --python /path/to/venv/bin/python

Every request is a connection of its own with a full handshake, as check_nrpe makes it: a query of version 4, `echo ok`,
and its answer, which is checked. In each round every server has its turn, and another one is first each time. It needs
nagios-nrpe-server, openssl, a C compiler, libssl-dev and zlib1g-dev. The exit status is 1 if an answer was wrong or
lost, or the ratio at 16 callers is below `--at-least`.
"""

import argparse
import contextlib
import json
import os
import shutil
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from statistics import median
from typing import Any

NRPE = "/usr/sbin/nrpe"
TITLES = {"nrpe": "nrpe", "unshared": "cmdserver, unshared", "shared": "cmdserver, shared"}
#: Of cmdserver, by what is measured; nrpe has the first alone.
COMMANDS = {"nrpe": "quick", "unshared": "quick", "shared": "shared"}

_HERE = Path(__file__).parent
_PATIENCE_SECONDS = 20
_SLACK_SECONDS = 60

_NRPE_CONFIGURATION = """\
server_port={port}
server_address=127.0.0.1
nrpe_user=nobody
nrpe_group=nogroup
allowed_hosts=127.0.0.1
listen_queue_size=1024
pid_file={directory}/nrpe.pid
ssl_version=TLSv1.2+
ssl_use_adh=0
ssl_cert_file={directory}/server.crt
ssl_privatekey_file={directory}/server.key
command[quick]=/bin/echo ok
"""

_CMDSERVER_CONFIGURATION = """\
[[listen]]
protocol = "nrpe"
endpoint = "tcp:{port}:interface=127.0.0.1"
tls = true
login = "never"

[tls]
certificate = "{directory}/server.crt"
key = "{directory}/server.key"

[commands.quick]
run = ["/bin/echo", "ok"]
read_only = true
share = false

[commands.shared]
run = ["/bin/echo", "ok"]
read_only = true

[roles.anonymous]
commands = ["*"]

[limits]
running = 64
"""

#: Twisted's own command, whichever environment the interpreter is of.
_TWISTD = "from twisted.scripts.twistd import run; run()"


def main(words: Sequence[str]) -> int:
    """Measure, and print the table."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0] if __doc__ else None)
    parser.add_argument("--python", default=sys.executable, help="of the environment where cmdserver is installed")
    parser.add_argument("--callers", default="1,16", help="how many at once, with commas (default: %(default)s)")
    parser.add_argument("--rounds", type=int, default=5, help="(default: %(default)s)")
    parser.add_argument("--seconds", type=float, default=3, help="of each cell (default: %(default)s)")
    parser.add_argument("--at-least", type=float, default=0, help="the ratio that must be reached at 16 callers")
    parser.add_argument(
        "--quick-ack", action="store_true", help="acknowledge at once what servers send; see nrpeload.c"
    )
    options = parser.parse_args(words)
    for tool in (NRPE, "cc", "openssl"):
        if shutil.which(tool) is None:
            print(f"{tool} is not installed here", file=sys.stderr)
            return 2
    with tempfile.TemporaryDirectory() as scratch, contextlib.ExitStack() as stack:
        directory = Path(scratch)
        directory.chmod(0o755)  # nrpe reads its certificate as nobody
        load = _prepare(directory)
        ports = {"nrpe": _free_port(), "cmdserver": _free_port()}
        stack.enter_context(_server(_nrpe(directory, ports["nrpe"]), ports["nrpe"]))
        stack.enter_context(_server(_cmdserver(options.python, directory, ports["cmdserver"]), ports["cmdserver"]))
        when = time.strftime("%Y-%m-%d %H:%M", time.gmtime())
        print(f"{_host()}; {options.rounds} rounds of {options.seconds:g} s; {when} UTC")
        return _measure(options, load, ports)


def _measure(options: argparse.Namespace, load: Path, ports: dict[str, int]) -> int:
    """Print a row for each number of callers and server."""
    print("\n| callers | server | requests/s | of nrpe | p50 / p99, ms |\n|---:|---|---:|---:|---:|")
    is_well = True
    for callers in map(int, options.callers.split(",")):
        cells: dict[str, list[dict[str, Any]]] = {name: [] for name in TITLES}
        for number in range(options.rounds):
            order = list(TITLES)
            for name in order[number % 3 :] + order[: number % 3]:
                port = ports["nrpe" if name == "nrpe" else "cmdserver"]
                cells[name].append(_load(load, port, COMMANDS[name], callers, options))
        for name, title in TITLES.items():
            ratios = [own["rate"] / (peer["rate"] or 1) for own, peer in zip(cells[name], cells["nrpe"], strict=True)]
            rate, p50, p99 = (median(cell[key] for cell in cells[name]) for key in ("rate", "p50_ms", "p99_ms"))
            print(f"| {callers} | {title} | {rate:.0f} | {median(ratios):.2f} | {p50:.1f} / {p99:.1f} |")
            bad = {key: sum(cell[key] for cell in cells[name]) for key in ("wrong", "lost")}
            if any(bad.values()):
                print(f"{title}: {bad}", file=sys.stderr)
                is_well = False
            if name == "unshared" and callers == 16 and median(ratios) < options.at_least:  # noqa: PLR2004
                is_well = False
    return 0 if is_well else 1


def _prepare(directory: Path) -> Path:
    """Build the load generator, and make the certificate that both servers have."""
    load = directory / "nrpeload"
    libraries = ["-lssl", "-lcrypto", "-lz"]
    subprocess.run(["cc", "-O2", "-pthread", "-o", load, _HERE / "nrpeload.c", *libraries], check=True)
    key, certificate = directory / "server.key", directory / "server.crt"
    words = ["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes"]
    words += ["-subj", "/CN=localhost", "-days", "2", "-keyout", str(key), "-out", str(certificate)]
    subprocess.run(words, check=True, capture_output=True)
    key.chmod(0o644)
    return load


def _nrpe(directory: Path, port: int) -> list[str]:
    configuration = directory / "nrpe.cfg"
    configuration.write_text(_NRPE_CONFIGURATION.format(port=port, directory=directory), "utf-8")
    return [NRPE, "-c", str(configuration), "-f"]


def _cmdserver(python: str, directory: Path, port: int) -> list[str]:
    configuration = directory / "cmdserver.toml"
    configuration.write_text(_CMDSERVER_CONFIGURATION.format(port=port, directory=directory), "utf-8")
    words = [python, "-c", _TWISTD, "-n", f"--pidfile={directory}/twistd.pid", f"--logfile={directory}/log"]
    return [*words, "cmdserver", f"--config={configuration}", f"--state-dir={directory}/state"]


@contextlib.contextmanager
def _server(argv: list[str], port: int) -> Iterator[None]:
    process = subprocess.Popen(argv, env=os.environ | {"LANG": "C"}, stdin=subprocess.DEVNULL)
    try:
        deadline = time.monotonic() + _PATIENCE_SECONDS
        while not _is_listening(port):
            if process.poll() is not None or time.monotonic() > deadline:
                raise SystemExit(f"{argv[0]} does not start")
            time.sleep(0.05)
        yield
    finally:
        process.terminate()
        process.wait(_PATIENCE_SECONDS)


def _load(load: Path, port: int, command: str, callers: int, options: argparse.Namespace) -> dict[str, Any]:
    words = [str(load), str(port), command, "ok", str(callers), str(options.seconds)]
    words += ["quick-ack"] if options.quick_ack else []
    said = subprocess.run(words, capture_output=True, check=True, timeout=options.seconds + _SLACK_SECONDS).stdout
    found: dict[str, Any] = json.loads(said)
    return found


def _is_listening(port: int) -> bool:
    with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", port), 1):
        return True
    return False


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def _host() -> str:
    return f"{os.cpu_count()} cores, {os.uname().sysname} {os.uname().release}, load average {os.getloadavg()[0]:.1f}"


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
