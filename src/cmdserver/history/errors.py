"""What can be wrong with a history: each kind is answered in another way."""


class HistoryError(Exception):
    """The history cannot be read or written; the text says why, for the log."""


class Unavailable(HistoryError):  # noqa: N818 - a statement
    """It may work again by itself: locked, full, or its disk is gone."""


class Corrupt(HistoryError):  # noqa: N818 - a statement
    """The file is damaged: it is moved aside, and a new one begun."""


class NotOurs(HistoryError):  # noqa: N818 - a statement
    """The file is something else than a history, or was changed into it: it is left alone, until the next reload."""


class OtherVersion(NotOurs):
    """A newer daemon has written the file."""
