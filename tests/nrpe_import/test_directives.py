"""Lines of nrpe.cfg."""

from cmdserver.nrpe_import.directives import MOST_CHARACTERS, Directive, Place, Remark, parse


def found(text: str) -> list[tuple[str, str, int, int]]:
    """Read directives: key, value, line, column."""
    return [
        (each.key, each.value, each.place.line, each.column) for each in parse(text, "f") if isinstance(each, Directive)
    ]


def said(text: str) -> list[tuple[int, str, bool]]:
    """Say what is said of lines."""
    remarks = [each for each in parse(text, "f") if isinstance(each, Remark)]
    return [(each.place.line, each.text, each.is_refusal) for each in remarks]


def test_lines() -> None:
    """Comments and empty lines are none; spaces around all parts mean nothing; the first = counts."""
    text = "# a=b\n\n  \t\n debug=1\r\ncommand[a]=/x -o=1 \n  #c=d\ncommand[b] =  /y # z\nkey=value"
    assert found(text) == [
        ("debug", "1", 4, 8),
        ("command[a]", "/x -o=1", 5, 12),
        ("command[b]", "/y # z", 7, 15),
        ("key", "value", 8, 5),
    ]
    assert said(text) == []
    assert next(iter(parse("a=b", "f"))) == Directive("a", "b", Place("f", 1), 3)


def test_what_is_no_directive() -> None:
    """It is told, line by line, and the others are read."""
    text = "debug\n=1\nlog_file=\n  = \ncommand[a]\nok=1"
    assert said(text) == [(line, "is no directive: it has no name, no = or no value", True) for line in range(1, 6)]
    assert found(text) == [("ok", "1", 6, 4)]


def test_a_space_before_the_equals_sign() -> None:
    """Nrpe compares names with it, so that it has not gone by such a line; of commands it cuts the name out."""
    unnoticed = "nrpe takes no notice of this line, as there is a space before the ="
    text = "dont_blame_nrpe = 1\ncommand[a] = /x\ninclude\t=/y\n"
    assert [each[:2] for each in found(text)] == [("command[a]", "/x")]
    assert said(text) == [(line, f"{unnoticed}, so it does not count here either", False) for line in (1, 3)]
    # To go by nrpe's reading would let everybody in.
    text = "allowed_hosts = 10.0.0.1\n"
    assert (found(text), said(text)) == (
        [("allowed_hosts", "10.0.0.1", 1, 17)],
        [(1, f"{unnoticed}; here it counts", False)],
    )


def test_long_lines() -> None:
    """Nrpe loses their ends, without a word."""
    assert said("a=" + "x" * 2044) == []
    assert said("a=" + "x" * 2045) == [(1, "nrpe reads no more than 2046 bytes of a line; here is all of it", False)]
    (remark,) = said("a=" + "x" * MOST_CHARACTERS)
    assert remark == (1, f"the line is longer than {MOST_CHARACTERS} characters", True)


def test_other_encodings() -> None:
    """A line that cannot be told is refused, and no other."""
    text = "a=\udce9\nb=é"
    assert (said(text), found(text)) == ([(1, "is not UTF-8", True)], [("b", "é", 2, 3)])
