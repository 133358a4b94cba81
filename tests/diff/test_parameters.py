"""Which values a command newly takes."""

import pytest

from tests.diff.doubles import FILE, differences


def file_with(*parameters: str) -> str:
    """Write a file with a command that has parameters: a name, and keys."""
    tables = "".join(f'[[commands.x.parameters]]\nname = "p{index}"\n{keys}\n' for index, keys in enumerate(parameters))
    words = ", ".join(f'["{{p{index}}}"]' for index in range(len(parameters)))
    command = f'[commands.x]\nrun = ["df", {words}]\n{tables}'
    return FILE.replace("[roles.staff]", f"{command}[roles.staff]")


@pytest.mark.parametrize(
    ("old", "new", "said"),
    [
        ('type = "choice"\nchoices = ["a"]', 'type = "choice"\nchoices = ["a", "b"]', "+ p0: takes b as well"),
        ('type = "choice"\nchoices = ["a"]', 'type = "string"', "+ p0: takes a line of 1 to 256 characters"),
        ('type = "integer"\nmaximum = 5', 'type = "integer"\nmaximum = 9', "+ p0: takes a whole number, 9 at most"),
        ('type = "integer"\nminimum = 5', 'type = "integer"', "+ p0: takes a whole number, before"),
        ('type = "duration"\nmaximum = "1m"', 'type = "duration"\nmaximum = "1h"', "+ p0: takes a time span"),
        ('type = "string"\npattern = "a"', 'type = "string"', "+ p0: takes a line"),
        ('type = "string"', 'type = "string"\nmax_length = 300', "+ p0: takes a line of 1 to 300"),
        ('type = "string"', 'type = "string"\nmay_begin_with_dash = true', "+ p0: takes a line of 1 to 256 char"),
        ('type = "string"\npattern = "a"', 'type = "string"\npattern = "b"', "~ p0: takes a line"),
        ('type = "integer"\nmaximum = 5\nminimum = 2', 'type = "integer"\nmaximum = 9\nminimum = 3', "~ p0: takes"),
        ('type = "integer"', 'type = "date"', "~ p0: takes a date"),
        ('type = "host"\nnames = ["a"]', 'type = "host"\nnames = ["a", "b"]', "+ p0: takes a host name"),
        ('type = "host"\nnetworks = ["10.1.0.0/16"]', 'type = "host"\nnetworks = ["10.0.0.0/8"]', "+ p0: takes a host"),
        ('type = "host"\nnetworks = ["10.1.0.0/16"]', 'type = "host"', "+ p0: takes a host name, or an"),
        ('type = "flag"\ngives = ["-a"]', 'type = "flag"\ngives = ["-b"]', "~ p0: takes true or false"),
        ('type = "string"', 'type = "string"\nlabel = "X"\nhelp = "x"\nexample = "y"', ""),
    ],
)  # fmt: skip
def test_one(old: str, new: str, said: str) -> None:
    """More, fewer, or others; and the way back is the opposite."""
    before, after = (file_with(f"{keys}\nrequired = false" if "flag" not in keys else keys) for keys in (old, new))
    found = [each.replace(" command x (run by nobody):", "") for each in differences(before, after)]
    assert len(found) == (1 if said else 0)
    assert all(each.startswith(said) for each in found)
    opposite = {"+": "-", "~": "~"}
    signs = [each[0] for each in differences(after, before)]
    assert sorted(set(signs)) == ([opposite[said[0]]] if said else [])


def test_several() -> None:
    """A new one, one that is gone, and their order."""
    string = 'type = "string"\nrequired = false'
    one, two = file_with(string), file_with(string, string)
    assert differences(one, two)[:1] == ["+ command x (run by nobody): takes p1 (a line of 1 to 256 characters)"]
    assert differences(two, one)[:1] == ["- command x (run by nobody): takes no p1 any more"]


def test_repeat_and_defaults() -> None:
    """How many, and what is meant if nothing is given; a default may be secret."""
    old = file_with('type = "string"\nrequired = false')
    found = differences(old, file_with('type = "string"\nrequired = false\nrepeat = 5'))
    assert found == ["+ command x (run by nobody): p0: takes up to 5 values, before 1"]
    found = differences(old, file_with('type = "string"\ndefault = "hunter2"'))
    assert found == ["~ command x (run by nobody): p0: its default, or whether it is required, is different"]
