"""What is seen on the way to a file."""

import os
from pathlib import Path

from cmdserver.config.host import Host
from cmdserver.lint.file_facts import gather


def test_a_way(tmp_path: Path) -> None:
    """Directories, links, their targets, and a script's interpreter; each with who may write to it."""
    (tmp_path / "bin").mkdir(mode=0o755)
    (tmp_path / "open").mkdir()
    (tmp_path / "open").chmod(0o777)
    (tmp_path / "open" / "interpreter").write_bytes(b"x")
    script = tmp_path / "bin" / "script"
    script.write_text(f"#!{tmp_path}/open/interpreter\n")
    link = tmp_path / "link"
    link.symlink_to("bin/../bin/script")

    facts = gather([str(link), str(tmp_path / "missing")], Host())

    way = {each.path: each for each in facts.ways[str(link)]}
    assert [each.removeprefix(str(tmp_path)) for each in way if each.startswith(f"{tmp_path}/")] == [
        "/bin", "/bin/script", "/open", "/open/interpreter",
    ]  # fmt: skip
    assert (way[str(script)].is_open, way[str(script)].uid) == (False, os.geteuid())
    assert way[f"{tmp_path}/open"].is_open
    assert not way[f"{tmp_path}/open"].is_sticky
    assert [each.path for each in facts.ways[str(tmp_path / "missing")]][-1] == str(tmp_path)


def test_links_without_an_end(tmp_path: Path) -> None:
    """They lead nowhere, and that is found out."""
    (tmp_path / "a").symlink_to("b")
    (tmp_path / "b").symlink_to("a")
    assert gather([str(tmp_path / "a")], Host()).ways[str(tmp_path / "a")][-1].path == str(tmp_path)
