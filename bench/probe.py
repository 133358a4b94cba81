"""What a probe costs beside Python that does nothing. `python bench/probe.py --python VENV/bin/python`.

A target on loopback accepts and closes. Both are started in turn, and said are medians and their ratio.
"""

import argparse
import socket
import statistics
import subprocess
import sys
import threading
import time
from contextlib import suppress
from pathlib import Path


def accept(listening: socket.socket) -> None:
    with suppress(OSError):
        while True:
            listening.accept()[0].close()


def seconds(words: list[str]) -> float:
    begun = time.perf_counter()
    subprocess.run(words, stdout=subprocess.DEVNULL, check=True)
    return time.perf_counter() - begun


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--python", default=sys.executable, help="of an environment that has cmdserver")
    parser.add_argument("--rounds", type=int, default=60)
    options = parser.parse_args()
    with socket.create_server(("127.0.0.1", 0)) as listening:
        threading.Thread(target=accept, args=(listening,), daemon=True).start()
        probe = [str(Path(options.python).with_name("cmdserver-probe")), "tcp"]
        probe.append(f"127.0.0.1:{listening.getsockname()[1]}")
        rounds = [(seconds([options.python, "-c", "pass"]), seconds(probe)) for _ in range(options.rounds)]
    bare, probed = (statistics.median(each) * 1000 for each in zip(*rounds, strict=True))
    print(f"python -c pass {bare:.1f} ms, cmdserver-probe tcp {probed:.1f} ms: {probed / bare:.2f} times")


if __name__ == "__main__":
    main()
