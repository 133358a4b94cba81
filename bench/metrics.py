"""What a scrape costs: `/metrics` with 2,000 series of one command. `python bench/metrics.py --python VENV/bin/python`.

Everything stays on 127.0.0.1 and ends by itself. Said is the time from the request to the end of the answer, and the
processor time that the server takes for it; the client is as plain as can be.
"""

import argparse
import http.client
import signal
import socket
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

HERE = "127.0.0.1"
#: Each has four numbers.
ROWS = 500
CONFIGURATION = """
[[listen]]
protocol = "web"
endpoint = "tcp:{port}:interface=127.0.0.1"
login = "never"
[commands.disks]
run = ["cat", "{file}"]
read_only = true
parser = "df"
metrics = true
[roles.anonymous]
commands = ["*"]
"""


def free_port() -> int:
    with socket.socket() as opened:
        opened.bind((HERE, 0))
        port: int = opened.getsockname()[1]
        return port


def processor_seconds(pid: int) -> float:
    fields = Path(f"/proc/{pid}/stat").read_text(encoding="ascii").rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / 100


def ask(connection: http.client.HTTPConnection, path: str) -> bytes:
    connection.request("GET", path, headers={"Accept": "text/plain"})
    response = connection.getresponse()
    body = response.read()
    if response.status != http.client.OK:
        raise SystemExit(f"{path}: {response.status}: {body!r}")
    return body


def await_port(port: int) -> None:
    until = time.monotonic() + 20
    while time.monotonic() < until:
        try:
            socket.create_connection((HERE, port), 1).close()
        except OSError:
            time.sleep(0.05)
        else:
            return
    raise SystemExit("the daemon did not start")


def spread(seconds: list[float]) -> str:
    ordered = [each * 1000 for each in sorted(seconds)]
    return f"median {statistics.median(ordered):.1f} ms, p99 {ordered[int(len(ordered) * 0.99)]:.1f} ms"


def measure(python: str, scrapes: int) -> str:
    with tempfile.TemporaryDirectory() as name:
        directory, port = Path(name), free_port()
        table = ["Filesystem 1K-blocks Used Available Use% Mounted on"]
        table += [f"/dev/sd{each} {1000 + each} {each} 1000 {each % 100}% /mnt/{each}" for each in range(ROWS)]
        (directory / "df").write_text("\n".join(table) + "\n", encoding="ascii")
        configuration = directory / "cmdserver.toml"
        configuration.write_text(CONFIGURATION.format(port=port, file=directory / "df"), encoding="ascii")
        words = [str(Path(python).with_name("twistd")), "-n", "--pidfile=", "cmdserver"]
        words += ["--config", str(configuration), "--state-dir", str(directory / "state")]
        daemon = subprocess.Popen(words, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        try:
            await_port(port)
            connection = http.client.HTTPConnection(HERE, port, timeout=20)
            ask(connection, "/disks")
            body = ask(connection, "/metrics")
            series = sum(line.startswith(b"cmdserver_value{") for line in body.splitlines())
            took, before = [], processor_seconds(daemon.pid)
            for _ in range(scrapes):
                begun = time.perf_counter()
                ask(connection, "/metrics")
                took.append(time.perf_counter() - begun)
            used = processor_seconds(daemon.pid) - before
            own = f"{used / scrapes * 1000:.1f} ms of the server's processor"
            return f"{series} series of one command, {len(body) / 1000:.0f} kB: {spread(took)}, {own}"
        finally:
            daemon.send_signal(signal.SIGTERM)
            daemon.wait(20)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--python", default=sys.executable, help="of an environment that has cmdserver")
    parser.add_argument("--scrapes", type=int, default=200)
    options = parser.parse_args()
    print(measure(options.python, options.scrapes))


if __name__ == "__main__":
    main()
