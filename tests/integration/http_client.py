"""HTTP as it is on the wire: a raw socket that says anything, and answers taken apart without a second guess."""

import json
from dataclasses import dataclass
from typing import Any

from tests.integration.client import Address, Client

HOST = b"Host: localhost\r\n"


@dataclass(frozen=True, slots=True)
class Response:
    """One answer."""

    status: int
    #: Names in lower case.
    headers: tuple[tuple[str, str], ...]
    body: bytes
    #: False if the connection ended before the body did.
    is_whole: bool

    def __getitem__(self, name: str) -> str:
        """All values of a header, joined by commas; empty if there is none."""
        return ", ".join(value for each, value in self.headers if each == name)

    @property
    def json(self) -> Any:
        """The body, parsed."""
        return json.loads(self.body)


class HTTPClient(Client):
    """A raw connection to a web listener; see `Client`."""

    def __init__(self, address: Address, **how: Any) -> None:
        super().__init__(address, **how)
        self._is_head = False

    def ask(self, target: str, method: str = "GET", body: bytes = b"", **headers: str) -> Response:
        """Ask, and read the answer; headers are named as keywords are, ``accept`` or ``last_event_id``."""
        self.request(target, method, body, **headers)
        return self.read_response()

    def request(self, target: str, method: str = "GET", body: bytes = b"", **headers: str) -> None:
        """Ask."""
        self._is_head = method == "HEAD"
        fields = {"host": "localhost", **headers}
        if body or method == "POST":
            fields = {"content_length": str(len(body)), "content_type": "application/x-www-form-urlencoded", **fields}
        lines = "".join(f"{name.replace('_', '-')}: {value}\r\n" for name, value in fields.items())
        self.send(f"{method} {target} HTTP/1.1\r\n{lines}\r\n".encode("latin-1") + body)

    def read_response(self) -> Response:
        """Read one answer, as its header says how long it is."""
        status, headers = self.read_head()
        fields = dict(headers)
        if self._is_head or status in {204, 304} or status < 200:
            return Response(status, headers, b"", is_whole=True)
        if fields.get("transfer-encoding") == "chunked":
            body, is_whole = self._read_chunks()
        elif "content-length" in fields:
            length = int(fields["content-length"])
            body = self.read_exactly(length)
            is_whole = len(body) == length
        else:
            body, is_whole = self.read_all(), True
        return Response(status, headers, body, is_whole=is_whole)

    def read_head(self) -> tuple[int, tuple[tuple[str, str], ...]]:
        """Read a status line and its header."""
        head = self.read_until(b"\r\n\r\n").decode("latin-1")
        first, *lines = head.removesuffix("\r\n\r\n").split("\r\n")
        assert first.startswith("HTTP/1.1 "), f"no answer: {head!r}"
        pairs = (line.split(":", 1) for line in lines)
        return int(first.split()[1]), tuple((name.lower(), value.strip()) for name, value in pairs)

    def read_chunk(self) -> bytes | None:
        """Read one chunk; empty is the last, None the end of the connection in place of one."""
        size = self.read_line()
        if not size.endswith(b"\r\n"):
            return None
        length = int(size, 16)
        chunk = self.read_exactly(length + 2)
        return chunk[:-2] if len(chunk) == length + 2 else None

    def _read_chunks(self) -> tuple[bytes, bool]:
        body = b""
        while chunk := self.read_chunk():
            body += chunk
        return body, chunk is not None
