"""The login dialogue of a listener that speaks lines: two questions, two lines, a pair.

Rule of this file: pure; it checks nothing and keeps nothing once the pair is handed over.
"""

USER_PROMPT = b"User?\n"
PASSWORD_PROMPT = b"Password?\n"


class LoginPrompt:
    """Who are you, and how do you prove it?"""

    __slots__ = ("_name",)

    def __init__(self) -> None:
        self._name: str | None = None

    @property
    def prompt(self) -> bytes:
        """What to ask now."""
        return USER_PROMPT if self._name is None else PASSWORD_PROMPT

    def take(self, line: bytes) -> tuple[str, bytes] | None:
        """Take the answer to the prompt.

        Args:
            line: Without its LF; a CR at its end belongs to the line's end, everything else to the answer.

        Returns:
            Name and password when both have come; None: ask on. A name that is not UTF-8 is nobody's, but is not
            refused here: that would tell it from one that is merely unknown.
        """
        answer = line.removesuffix(b"\r")
        if self._name is None:
            self._name = answer.decode(errors="replace")
            return None
        return self._name, answer
