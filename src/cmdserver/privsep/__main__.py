"""The runner process: ``python -m cmdserver.privsep ORDERS...``, with a socket as descriptor 3.

Not for people: the daemon starts it, and it reads requests from that socket, and ends when the other end does.
"""

import gc
import os
import signal
import socket
import sys
from pathlib import Path

from cmdserver.config.decoding import Mistakes
from cmdserver.config.host import Host
from cmdserver.config.loading import Source, configure, load
from cmdserver.execution.posix import raise_descriptor_limit
from cmdserver.files.credential_files import Credentials
from cmdserver.files.stale_files import remove_pid_file, remove_sockets
from cmdserver.privsep import linux
from cmdserver.privsep.channel import Channel
from cmdserver.privsep.marks import Marks
from cmdserver.privsep.messages import Read, Trouble, encode
from cmdserver.privsep.orders import Orders
from cmdserver.privsep.privileges import Kept
from cmdserver.privsep.runner.allowance import Allowance, Allowed, mistaken
from cmdserver.privsep.runner.control_groups import ControlGroups, find_place
from cmdserver.privsep.runner.launching import Launcher
from cmdserver.privsep.runner.runs import Runs
from cmdserver.privsep.runner.serving import Server
from cmdserver.privsep.runner.strays import end_marked
from cmdserver.privsep.runner.succession import Forked, Succession

#: The daemon's end is the other one.
_CONNECTION = 3
#: Descriptors of ours for each run: ends of pipes, and what tells whether it has begun.
_PIPES_OF_A_RUN = 4
_OTHER_DESCRIPTORS = 64


def main(orders: Orders) -> None:
    """Be the runner, or wait to be, until the daemon is gone."""
    _settle_in()
    connection = socket.socket(fileno=_CONNECTION)
    kept = Kept()
    try:
        allowance = Allowance(lambda: _read(orders.configuration, kept))
        credentials = Credentials(orders.state_directory)
    except Mistakes as mistakes:
        connection.send(encode(mistaken(mistakes)))
        return
    except OSError as error:
        connection.send(encode(Read((str(error),), ())))
        return
    groups = ControlGroups.below(find_place(), orders.family)
    kept.give_up_others(allowance.commands)
    linux.hide_memory()
    groups = groups.if_usable() if groups is not None else None
    launcher = Launcher(raise_descriptor_limit(_PIPES_OF_A_RUN * allowance.most + _OTHER_DESCRIPTORS), groups)
    deaths = _deaths()
    succession = Succession()
    marks = Marks(orders.family)
    gc.collect()
    gc.freeze()
    is_replacement = False
    while True:
        channel = Channel(connection)
        if is_replacement:
            channel.post(Trouble("the runner process did not answer for too long, and was ended by its standby"))
        runs = Runs(launcher, marks, channel.post, groups, succession.standbys)
        server = Server(channel, runs, allowance, credentials, succession, deaths)
        predecessor = os.getpid()
        try:
            server.serve()
        except Forked:
            server.let_go()
            is_replacement = succession.wait_for_our_turn(predecessor)
            end_marked(marks, groups, is_last=False)
        else:
            # Before everything else: commands end with the daemon, whatever lies in the place of its files.
            server.end()
            if orders.pid_file:
                remove_pid_file(Path(orders.pid_file), orders.daemon)
            if orders.state_directory:  # the daemon has become somebody who may not
                remove_sockets(allowance.sockets, orders.daemon)
            return


def _settle_in() -> None:
    # The daemon decides when we end: a terminal's Ctrl-C, and a SIGTERM to the whole service, are for it to hear.
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, signal.SIG_IGN)
    os.chdir("/")
    os.umask(0o022)
    linux.adopt_orphans()
    linux.refuse_new_privileges()
    os.set_inheritable(_CONNECTION, False)


def _read(file: str, kept: Kept) -> Allowed:
    source = load(file, {}) if file else Source.built_in()
    configuration = configure(source.text, Host(), lambda _: None)
    kept.require(configuration.commands)
    return Allowed(source, configuration)


def _deaths() -> int:
    """Make a descriptor that is readable when a child has died."""
    reading, writing = os.pipe()
    os.set_blocking(reading, False)
    os.set_blocking(writing, False)
    signal.set_wakeup_fd(writing, warn_on_full_buffer=False)
    signal.signal(signal.SIGCHLD, lambda _number, _frame: None)
    return reading


if __name__ == "__main__":
    main(Orders.read(sys.argv[1:]))
