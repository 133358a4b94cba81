"""Telnet commands (RFC 854), taken out of the input before lines are read.

People may type lines with a telnet client. On another port than 23 such a client sends no commands until somebody
presses Ctrl-C; PuTTY begins with a handful of options and waits for answers. The server is the Network Virtual
Terminal, without options: each one is declined, once. Valid UTF-8 has no byte 0xff, so no text is lost; and until the
first command comes, input and output are passed on as they are.

Invariant: however the bytes are cut, the same comes out.
"""

import re
from collections.abc import Iterator
from typing import Final

from msgspec import Struct

from cmdserver.core.errors import Malformed

#: Interpret As Command.
IAC: Final = b"\xff"

_SE, _BRK, _IP, _AYT, _SB, _WILL, _WONT, _DO, _DONT = 240, 243, 244, 246, 250, 251, 252, 253, 254
#: RFC 884's EOF is the first command; what is below is none, and the byte before it was no IAC.
_FIRST_COMMAND: Final = 236
_ABORT: Final = 238
_INTERRUPTS: Final = frozenset({_ABORT, _BRK, _IP})
#: RFC 860's option: a client that has interrupted something drops all output until it is answered.
_TIMING_MARK: Final = 6
_DO_TIMING_MARK: Final = bytes((255, _DO, _TIMING_MARK))

#: The answer to "are you there", as telnetd gives it.
_YES: Final = b"\r\n[Yes]\r\n"

_CR: Final = 13
#: Where a command may begin. Of a telnet client, a Ctrl-C that is no command counts as one.
_IAC_ALONE: Final = re.compile(rb"\xff")
_SPECIAL: Final = re.compile(rb"[\xff\x03]")
#: What may end a subnegotiation.
_COMMAND: Final = re.compile(rb"\xff(.)", re.DOTALL)

#: The most commands without a line break between them; a client that begins a session sends a dozen.
MOST_COMMANDS: Final = 1000


class Text(Struct, frozen=True):
    """Bytes of lines."""

    data: bytes


class Reply(Struct, frozen=True):
    """Bytes to be sent as they are, before anything else is."""

    data: bytes


class Interrupt(Struct, frozen=True):
    """The client's Ctrl-C."""


Received = Text | Reply | Interrupt


class Telnet:
    """One connection's telnet commands; to be fed from the first `IAC` on."""

    __slots__ = ("_commands", "_declined", "_follows_cr", "_is_in_subnegotiation", "_rest", "is_spoken")

    def __init__(self) -> None:
        #: Whether the client has sent a command, and so speaks telnet.
        self.is_spoken = False
        self._is_in_subnegotiation = False
        self._follows_cr = False
        #: How many have come since the last line break.
        self._commands = 0
        #: An incomplete command; 2 bytes at most.
        self._rest = b""
        #: Options that were declined; to decline one again might never end.
        self._declined: set[bytes] = set()

    def feed(self, data: bytes) -> Iterator[Received]:
        """Take input.

        Returns:
            Text and what is to be done, in the order in which it came.

        Raises:
            Malformed: There are more than `MOST_COMMANDS` in a line; what came before them was returned.
        """
        data, self._rest = self._rest + data, b""
        at = 0
        while at < len(data):
            if self._is_in_subnegotiation:
                at = self._skip_subnegotiation(data, at)
                continue
            found = (_SPECIAL if self.is_spoken else _IAC_ALONE).search(data, at)
            end = found.start() if found else len(data)
            if end > at:
                yield self._text(data[at:end])
            if found is None:
                return
            length = 1 if found[0] != IAC else self._length_of_command(data, end)
            if length is None:
                self._rest = data[end:]
                return
            at = end + length
            yield from self._command(data[end:at])

    def finish(self) -> bytes:
        """Return the beginning of a command that is not completed, because the input is over, and so was none."""
        rest, self._rest = self._rest, b""
        return b"" if self._is_in_subnegotiation else rest

    def encode(self, data: bytes) -> bytes:
        """Encode output for a telnet client: a line ends with CR LF, and a byte 0xff is doubled."""
        return data.replace(IAC, IAC + IAC).replace(b"\n", b"\r\n") if self.is_spoken else data

    def _text(self, data: bytes) -> Text:
        """Decode text; a telnet client may end a line with CR NUL (RFC 854, "The NVT printer")."""
        if not self.is_spoken:
            return Text(data)
        if self._follows_cr and data.startswith(b"\0"):
            data = b"\n" + data[1:]
        self._follows_cr = data[-1] == _CR
        data = data.replace(b"\r\0", b"\r\n")
        if b"\n" in data:
            self._commands = 0
        return Text(data)

    def _skip_subnegotiation(self, data: bytes, at: int) -> int:
        """Drop the parameters of an option up to IAC SE, however long they are; return where they end."""
        while (found := _COMMAND.search(data, at)) is not None:
            at = found.end()
            if found[1][0] == _SE:
                self._is_in_subnegotiation = False
                return at
        if data.endswith(IAC) and at < len(data):
            self._rest = IAC
        return len(data)

    def _length_of_command(self, data: bytes, at: int) -> int | None:
        """Return how long the command is that begins here; 1 if it is none; None if it is incomplete."""
        if at + 1 == len(data):
            return None
        command = data[at + 1]
        # Nobody begins by declining what was not offered; but UTF-16's byte order mark is IAC DONT.
        if command < _FIRST_COMMAND or (not self.is_spoken and command in {_WONT, _DONT}):
            return 1
        if command in {_WILL, _WONT, _DO, _DONT}:
            return 3 if at + 2 < len(data) else None
        return 2

    def _command(self, command: bytes) -> Iterator[Received]:
        """Interpret a command, a Ctrl-C, or an IAC that begins no command."""
        self._commands += 1
        if self._commands > MOST_COMMANDS:
            raise Malformed(f"the line has more than {MOST_COMMANDS} telnet commands in it")
        if command in {IAC, IAC + IAC}:
            self.is_spoken |= command != IAC
            self._follows_cr = False
            yield Text(IAC)
            return
        self.is_spoken = True
        code = command[1] if len(command) > 1 else _IP
        if code == _SB:
            self._is_in_subnegotiation = True
        elif code == _AYT:
            yield Reply(_YES)
        elif code in _INTERRUPTS:
            self._follows_cr = False
            yield Interrupt()
        elif command == _DO_TIMING_MARK:
            yield Reply(bytes((255, _WILL, _TIMING_MARK)))
        elif code in {_WILL, _DO} and command not in self._declined:
            self._declined.add(command)
            yield Reply(bytes((255, _DONT if code == _WILL else _WONT, command[2])))
