"""Tests of what the runner is told on its command line, and of what it removes for the daemon."""

import shutil
import socket
import tempfile
from pathlib import Path

from twisted.trial.unittest import SynchronousTestCase

from cmdserver.privsep.leftovers import remove_pid_file, remove_sockets, socket_path
from cmdserver.privsep.orders import Orders


class OrdersTests(SynchronousTestCase):
    def test_orders_come_back(self) -> None:
        """What was spelled is what is read, empty words and odd paths included."""
        for path in ("", "/etc/cmdserver/cmdserver.toml", "/with space/-x", "/ü"):
            orders = Orders(family=7, daemon=4711, configuration=path, pid_file=path, state_directory=path)

            self.assertEqual(Orders.read(orders.words()), orders)

    def test_other_words_are_none(self) -> None:
        """Too few, too many, or a word for a number is a ValueError."""
        for words in ([], ["1", "2", "", ""], ["1", "2", "", "", "", ""], ["x", "2", "", "", ""]):
            self.assertRaises(ValueError, Orders.read, words)


class LeftoversTests(SynchronousTestCase):
    """Only what is the daemon's is removed."""

    def setUp(self) -> None:
        self.directory = Path(tempfile.mkdtemp())
        self.addCleanup(shutil.rmtree, self.directory)

    def test_the_daemons_pid_file_is_removed(self) -> None:
        """Another's stays, and so does what is no pid file; one that is gone is no error."""
        path = self.directory / "pid"
        for content in (b"4712", b"", b"text"):
            path.write_bytes(content)
            remove_pid_file(path, 4711)
            self.assertTrue(path.exists())
        path.write_bytes(b"4711\n")

        remove_pid_file(path, 4711)
        remove_pid_file(path, 4711)

        self.assertFalse(path.exists())

    def test_the_daemons_socket_is_removed(self) -> None:
        """With its lock; another daemon's, and a file that is no socket, stay."""
        path = self.directory / "socket"
        lock = self.directory / "socket.lock"
        endpoint = f"unix:{path}:mode=660"
        with socket.socket(socket.AF_UNIX) as listening:
            listening.bind(str(path))
            lock.symlink_to("4712")
            remove_sockets([endpoint], 4711)
            self.assertTrue(path.exists())
            lock.unlink()
            lock.symlink_to("4711")

            remove_sockets(["tcp:1", endpoint, endpoint], 4711)
        self.assertEqual(list(self.directory.iterdir()), [])

        path.write_text("a file", "ascii")
        lock.symlink_to("4711")
        remove_sockets([endpoint], 4711)
        self.assertTrue(path.exists())

    def test_where_sockets_are(self) -> None:
        """Endpoint descriptions of UNIX sockets name a path, others none."""
        for endpoint, path in (
            ("unix:/run/a", "/run/a"),
            ("unix:address=/run/a:mode=600", "/run/a"),
            ("haproxy:unix:/run/a", "/run/a"),
            ("unix:relative", None),
            ("tcp:1:interface=127.0.0.1", None),
            ("systemd:domain=UNIX:index=0", None),
        ):
            found = socket_path(endpoint)
            self.assertEqual(None if found is None else str(found), path, endpoint)
