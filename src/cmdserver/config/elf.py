"""The beginning of a program's file as elf(5) has it: for which machine it is, and what loads it."""

from collections.abc import Callable

from msgspec import Struct

#: Gives as many bytes from a place on as there are, at most those that are asked for.
Read = Callable[[int, int], bytes]

MAGIC = b"\x7fELF"

_PT_INTERP = 3
_ET_REL = 1
#: The kernel takes no more of program headers, and no longer path (fs/binfmt_elf.c).
_MOST_HEADER_BYTES = 1 << 16
_MOST_PATH_BYTES = 4096
#: No file has a place beyond it.
_MOST_OFFSET = 1 << 62

_NAMES = {
    3: "x86",
    8: "MIPS",
    20: "PowerPC",
    21: "PowerPC64",
    22: "S/390",
    40: "ARM",
    62: "x86-64",
    183: "AArch64",
    243: "RISC-V",
    258: "LoongArch",
}
#: Of 64 and of 32 bits, where the one runs the other's programs.
_RELATED = ({62, 3}, {183, 40}, {21, 20})


class Header(Struct, frozen=True, kw_only=True):
    """What a file says of itself."""

    machine: int
    byte_order: str
    #: Whether it is yet to be linked.
    is_object: bool
    #: The program that loads it and its libraries (ld.so(8)); None if it needs none.
    loader: str | None

    @property
    def machine_name(self) -> str:
        """What to call the machine."""
        return _NAMES.get(self.machine, f"machine {self.machine} of ELF")

    def runs_beside(self, other: "Header") -> bool:
        """Whether a host that runs the one runs the other, as far as that depends on the machine."""
        is_same = self.machine == other.machine or any({self.machine, other.machine} <= each for each in _RELATED)
        return is_same and self.byte_order == other.byte_order


def parse(read: Read) -> Header | None:
    """Read the header of a file; None if it is none, or is cut off."""
    head = read(0, 64)
    if not head.startswith(MAGIC) or len(head) < 20 or head[4] not in {1, 2} or head[5] not in {1, 2}:  # noqa: PLR2004
        return None
    order = "little" if head[5] == 1 else "big"
    return Header(
        machine=_number(head, 18, 2, order),
        byte_order=order,
        is_object=_number(head, 16, 2, order) == _ET_REL,
        loader=_loader(read, head, order),
    )


def _loader(read: Read, head: bytes, order: str) -> str | None:
    """Find it among the program headers, whose fields have other places and sizes in files of 32 bits."""
    is_wide = head[4] == 2  # noqa: PLR2004 - ELFCLASS64
    size, width = (56, 8) if is_wide else (32, 4)
    start = _number(head, 32 if is_wide else 28, width, order)
    count = _number(head, 56 if is_wide else 44, 2, order)
    headers = read(start, min(count * size, _MOST_HEADER_BYTES)) if start < _MOST_OFFSET else b""
    for place in range(0, len(headers) - size + 1, size):
        if _number(headers, place, 4, order) == _PT_INTERP:
            offset = _number(headers, place + (8 if is_wide else 4), width, order)
            length = _number(headers, place + (32 if is_wide else 16), width, order)
            path = read(offset, min(length, _MOST_PATH_BYTES)) if offset < _MOST_OFFSET else b""
            return path.partition(b"\0")[0].decode(errors="surrogateescape") or None
    return None


def _number(data: bytes, place: int, size: int, order: str) -> int:
    return int.from_bytes(data[place : place + size], "little" if order == "little" else "big")
