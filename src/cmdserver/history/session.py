"""The history as the thread knows it: opened when something is to be written, opened anew when the file is gone.

Everything here may wait for a disk. A damaged file is moved aside, and a new one begun.
"""

import contextlib
from collections.abc import Callable
from pathlib import Path
from typing import TypeVar

from msgspec import Struct

from cmdserver.history.changes import Began, Change
from cmdserver.history.connecting import translated
from cmdserver.history.database import Database
from cmdserver.history.database_file import move_aside
from cmdserver.history.errors import Corrupt, Unavailable
from cmdserver.history.retention import HistoryLimits
from cmdserver.runs.record import RunRecord

T = TypeVar("T")


class Order(Struct, frozen=True, kw_only=True):
    """What is to be written, and where."""

    path: Path
    changes: tuple[Change, ...]
    #: Runs that go on: what the file has besides, and as running, is lost.
    alive: tuple[RunRecord, ...]
    limits: HistoryLimits
    #: Seconds since the epoch.
    now: float
    #: Whether all that is there is held against the limits, and not only what is new.
    prunes: bool


class Written(Struct, frozen=True, kw_only=True):
    """What has come of an order."""

    #: Of which there are runs.
    commands: frozenset[str]
    #: Where a damaged file is now, if there was one.
    moved_to: Path | None = None


class Session:
    """A history that is open, or will be."""

    def __init__(self) -> None:
        self._database: Database | None = None
        #: Whether it does not know yet which runs go on.
        self._is_new = True
        self._damaged: Path | None = None

    @property
    def is_open(self) -> bool:
        """Whether there is something to read."""
        return self._database is not None

    def write(self, order: Order) -> Written:
        """Do what is ordered.

        Raises:
            HistoryError: It was not done; the order may be given again.
        """
        moved_to = self._move_aside(order)
        try:
            return self._write(order, moved_to)
        except Corrupt:
            self._give_up(order.path)
            moved_to = self._move_aside(order)
            return self._write(order, moved_to)

    def read(self, question: Callable[[Database], T]) -> T:
        """Ask for something.

        Raises:
            HistoryError: There is no answer.
        """
        if self._database is None:
            raise Unavailable("it is not open")
        try:
            return question(self._database)
        except Corrupt:
            self._give_up(self._database.path)
            raise

    def close(self) -> None:
        """Close it; what is ordered next opens it again."""
        if self._database is not None:
            self._database.close()
            self._database = None

    def _write(self, order: Order, moved_to: Path | None) -> Written:
        database, changes, prunes = self._open(order.path), order.changes, order.prunes
        if self._is_new:
            database.lose([each.number for each in order.alive])
            changes = (*map(Began, order.alive), *changes)
            prunes = True
        if changes:
            database.write(changes, order.limits, order.now)
        if prunes:
            database.prune(order.limits, order.now)
        self._is_new = False
        return Written(commands=database.commands(), moved_to=moved_to)

    def _open(self, path: Path) -> Database:
        database = self._database
        if database is None or database.path != path or not database.is_in_place:
            # First, as it removes what SQLite keeps beside the file, which may be the new one's.
            self.close()
            self._is_new = True
            self._database = database = Database.open(path)
        return database

    def _give_up(self, path: Path) -> None:
        self.close()
        self._damaged = path

    def _move_aside(self, order: Order) -> Path | None:
        if self._damaged is None:
            return None
        with translated(self._damaged), contextlib.suppress(FileNotFoundError):
            moved_to = move_aside(self._damaged, order.now)
            self._damaged = None
            return moved_to
        self._damaged = None
        return None
