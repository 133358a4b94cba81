"""``include`` and ``include_dir``: order, loops and bounds."""

import os
from pathlib import Path

import pytest

from cmdserver.nrpe_import import files
from cmdserver.nrpe_import.directives import Directive, Remark
from cmdserver.nrpe_import.files import Files


def read(path: Path) -> tuple[list[str], list[str]]:
    """Read a configuration; return the values of directives, and what is said of lines."""
    found = [*Files().read_file(path)]
    values = [each.value for each in found if isinstance(each, Directive)]
    return values, [
        f"{Path(each.place.file).name}:{each.place.line}: {each.text}" for each in found if isinstance(each, Remark)
    ]


def test_order(tmp_path: Path) -> None:
    """A file stands where it is included; directories are read in the order of their names, all .cfg files below."""
    d = tmp_path / "d"
    for name in (
        "b.cfg",
        "a.cfg",
        "sub/c.cfg",
        "x.cfg.bak",
        ".hidden/no.cfg",
        ".dot.cfg",
        ".cfg",
        "dir.cfg/no.cfg",
        "B.cfg",
    ):
        (d / name).parent.mkdir(parents=True, exist_ok=True)
        (d / name).write_text(f"x={name}\n")
    (tmp_path / "one.cfg").write_text("x=one\n")
    main = tmp_path / "nrpe.cfg"
    main.write_text(f"x=1\ninclude={tmp_path}/one.cfg\nx=2\ninclude_dir={d}/\ninclude_file=one.cfg\nx=3\n")
    assert read(main) == (["1", "one", "2", ".dot.cfg", "B.cfg", "a.cfg", "b.cfg", "sub/c.cfg", "one", "3"], [])


def test_what_cannot_be_read(tmp_path: Path) -> None:
    """It is told, at the line that includes it, and the rest is read."""
    os.mkfifo(tmp_path / "pipe")
    (tmp_path / "utf16.cfg").write_bytes("x=1\n".encode("utf-16"))
    main = tmp_path / "nrpe.cfg"
    main.write_text(
        "include=none.cfg\ninclude=pipe\ninclude=.\ninclude_dir=none\ninclude=utf16.cfg\ninclude=a\0b\nx=1\n"
    )
    values, said = read(main)
    assert values == ["1"]
    assert said[:4] == [
        f"nrpe.cfg:1: {tmp_path}/none.cfg cannot be read: No such file or directory",
        f"nrpe.cfg:2: {tmp_path}/pipe is not a file",
        f"nrpe.cfg:3: {tmp_path} is not a file",
        f"nrpe.cfg:4: {tmp_path}/none cannot be read: No such file or directory",
    ]
    assert said[4].startswith("utf16.cfg:1: the file is UTF-16")
    assert said[5].startswith(f"nrpe.cfg:6: {tmp_path}/a\0b cannot be read: ")
    assert len(said) == 6


def test_loops(tmp_path: Path) -> None:
    """A file that includes itself, by whatever way, is read once there; twice, one after the other, is no loop."""
    (tmp_path / "a.cfg").write_text("x=a\ninclude=b.cfg\n")
    (tmp_path / "b.cfg").write_text("x=b\ninclude=link.cfg\ninclude_dir=.\n")
    (tmp_path / "link.cfg").symlink_to("a.cfg")
    values, said = read(tmp_path / "a.cfg")
    assert values == ["a", "b"]
    assert all(each.endswith("is not read: it includes itself") for each in said)
    assert len(said) == 4
    (tmp_path / "twice.txt").write_text("include=x.txt\ninclude=x.txt\n")
    (tmp_path / "x.txt").write_text("x=x\n")
    assert read(tmp_path / "twice.txt") == (["x", "x"], [])


def test_loops_of_directories(tmp_path: Path) -> None:
    """However many links lead back, all is read once, and the loop is told once."""
    directory = tmp_path / "d"
    (directory / "below").mkdir(parents=True)
    for number in range(20):
        (directory / f"here-{number}").symlink_to(".")
        (directory / "below" / f"up-{number}").symlink_to("..")
    (directory / "below" / "a.cfg").write_text("x=a\n")
    (directory / "below" / "b.cfg").write_text(f"x=b\ninclude_dir={directory}\n")
    (directory / "z.cfg").write_text("x=z\n")
    main = tmp_path / "nrpe.cfg"
    main.write_text("include_dir=d\n")
    assert read(main) == (["a", "b", "z"], [f"b.cfg:2: {directory} is not read: it includes itself"])

    main.write_text("include_dir=d/here-0/below/up-1/\ninclude_dir=d\n")
    values, said = read(main)
    assert (values, len(said)) == (["a", "b", "z"] * 2, 1)  # twice, one after the other, is no loop


def test_bounds_of_directories(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Depth and number have an end, which is told once; two links from each to the next are 65,536 ways."""
    for number in range(17):
        (tmp_path / "d" / str(number)).mkdir(parents=True)
        for name in ("a", "b"):
            (tmp_path / "d" / str(number) / name).symlink_to(f"../{number + 1}")
    main = tmp_path / "nrpe.cfg"
    main.write_text("include_dir=d/0\ninclude_dir=d/1\n")
    said = read(main)[1]
    assert len(said) == 1
    assert said[0].endswith(" is not read: there are more than 1000 directories")

    monkeypatch.setattr(files, "MOST_DEPTH", 1)
    main.write_text("include_dir=d/0\n")
    said = read(main)[1]
    assert said[0] == f"nrpe.cfg:1: {tmp_path}/d/0/a/a is not read: it is more than 1 directories deep"
    assert len(said) == 4


def test_bounds(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Depth, number and size have an end, which is told."""
    for number in range(30):
        (tmp_path / f"{number}.txt").write_text(f"x={number}\ninclude={number + 1}.txt\n")
    values, said = read(tmp_path / "0.txt")
    assert (len(values), said) == (16, [f"15.txt:2: {tmp_path}/16.txt is not read: it is more than 16 files deep"])

    main = tmp_path / "main"
    main.write_text("include=a\ninclude=b\ninclude=c\n")
    for name, size in (("a", 10), ("b", 20), ("c", 30)):
        (tmp_path / name).write_text("x=" + name * (size - 2))
    for bound, value, text in (
        ("MOST_FILES", 2, "there are more than 2"),
        ("MOST_BYTES_TOGETHER", 59, "all together are larger than 59 bytes"),
        ("MOST_BYTES", 29, "it is larger than 29 bytes"),
    ):
        with monkeypatch.context() as patch:
            patch.setattr(files, bound, value)
            main.write_text("include=a\ninclude=b\ninclude=c\n"[: 29 if bound == "MOST_BYTES" else None])
            assert read(main)[1] == [f"main:3: {tmp_path}/c is not read: {text}"]


def test_the_main_file(tmp_path: Path) -> None:
    """That it cannot be read is for the caller to say."""
    with pytest.raises(FileNotFoundError):
        read(tmp_path / "none")
    (tmp_path / "big").write_bytes(b"#" * (files.MOST_BYTES + 1))
    with pytest.raises(ValueError, match="is larger than"):
        read(tmp_path / "big")
