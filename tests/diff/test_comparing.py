"""The lines of a reload, and pages."""

import json
import re

from cmdserver.diff.change import as_json, page
from cmdserver.diff.comparing import compare, reload_lines
from tests.diff.doubles import FILE, configuration
from tests.test_docs import DOCS


def many(number: int, word: str) -> str:
    """Write a file with commands that all differ from each other."""
    return FILE + "".join(f'[commands.c{each}]\nrun = ["df", "{word}{each}"]\n' for each in range(number))


def test_nothing_differs() -> None:
    """There is no line."""
    assert reload_lines(configuration(FILE), configuration(FILE + "\n# x")) == []


def test_every_cut_is_visible() -> None:
    """A log has a bound, and a page has one."""
    old, new = configuration(many(50, "a")), configuration(many(50, "b"))
    found = reload_lines(old, new, most=10)
    assert len(found) == 11
    assert found[-1] == "and 40 more; cmdserver diff says all of them"
    assert len(reload_lines(old, new)) == 50
    shown = page(compare(old, new), most=20).splitlines()
    assert len(shown) == 21
    assert shown[-1] == "and 80 more lines; --json has all"


def test_json_has_all() -> None:
    """No list of names is cut in it."""
    old, new = configuration(FILE), configuration(many(50, "a").replace('["df", "up"]', '["*"]'))
    changes = json.loads(as_json(compare(old, new)))["changes"]
    assert changes[0]["names"] == ["ann"]
    assert changes[0]["effect"] == "widens"
    assert len(changes[0]["commands"]) == 50
    assert changes[0]["text"].endswith("and 30 more")


def test_widening_comes_first() -> None:
    """Of each thing, and of things of a kind."""
    old = FILE.replace('["ann"]', '["ann", "bob"]')
    new = FILE.replace('["df", "up"]', '["df"]').replace('["ann"]', '["bob", "carl"]')
    assert page(compare(configuration(old), configuration(new))) == (
        "carl (role staff)\n  + may run df\n"
        "bob (role staff)\n  - may no longer run up\n"
        "ann\n  - may no longer run df, up\n"
    )


def test_the_document() -> None:
    """What docs/reviewing.md says comes of two files does."""
    text = (DOCS / "reviewing.md").read_text("utf-8").partition("\n## Diff\n")[2]
    old, new = (configuration(each) for each in re.findall(r"^```toml\n(.*?)^```$", text, re.MULTILINE | re.DOTALL))
    shown = re.search(r"^\$ cmdserver diff old.toml new.toml\n(.*?)^```$", text, re.MULTILINE | re.DOTALL)
    assert shown is not None
    assert shown[1] == page(compare(old, new))
