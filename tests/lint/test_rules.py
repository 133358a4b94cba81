"""Each rule finds its example, is silent about what is written instead, and is silenced by its name."""

import re

import pytest

from cmdserver.config.lint_rule import LintRule
from cmdserver.lint.facts import HostFacts, PathFact
from cmdserver.lint.rules import RULES, Rule
from tests.lint import rules_document
from tests.lint.doubles import COMMANDS, LISTEN, ROLES, lines, rules_of

#: A host on which somebody else may write where an example's program is.
FACTS = HostFacts(
    ways={
        "/srv/open/report": [
            PathFact(path="/srv", uid=0, owner="root"),
            PathFact(path="/srv/open", uid=0, owner="root", is_open=True),
            PathFact(path="/srv/open/report", uid=0, owner="root"),
        ],
        "/usr/local/bin/report": [PathFact(path="/usr/local/bin/report", uid=0, owner="root")],
    }
)


def file_with(rule: Rule, keys: str, allow: str = "") -> str:
    """Write a file that is clean, but for a table with these keys."""
    keys = keys.replace("commands.NAME", "commands.x")
    header = rule.table.replace("NAME", "x")
    table = f"{header}\n{allow}{keys}\n"
    # What everybody may run changes nothing, so that there is one thing to be said.
    commands = COMMANDS.replace("restart]\n", "restart]\nread_only = true\n") if '"*"' in keys else COMMANDS
    return f"{LISTEN}{commands}{ROLES}{table}"


def test_every_name_has_a_rule() -> None:
    """And the other way round."""
    assert list(RULES) == list(LintRule)


@pytest.mark.parametrize("name", RULES)
def test_the_example_is_found(name: LintRule) -> None:
    """It is the one thing that is found in it."""
    found = lines(file_with(RULES[name], RULES[name].example), FACTS)
    assert rules_of(found) == [name]
    assert re.match(r"/x\.toml:\d+: [a-z]+(\[\d\]|\.[a-z]+)", found[0])


@pytest.mark.parametrize("name", RULES)
def test_what_is_written_instead_is_not(name: LintRule) -> None:
    """Nothing is to be said of it."""
    found = rules_of(lines(file_with(RULES[name], RULES[name].instead), FACTS))
    assert found == []


@pytest.mark.parametrize("name", RULES)
def test_it_can_be_silenced(name: LintRule) -> None:
    """By its name, in the table that it is about; another name silences nothing, which is said."""
    rule = RULES[name]
    if name is LintRule.UNUSED_ALLOW:
        text = file_with(rule, rule.example.replace('["shell"]', '["shell", "unused-allow"]'))
        assert lines(text, FACTS) == []
        return
    assert lines(file_with(rule, rule.example, f'allow = ["{name}"]\n'), FACTS) == []
    other = next(each for each in LintRule if each not in {name, LintRule.UNUSED_ALLOW})
    found = lines(file_with(rule, rule.example, f'allow = ["{other}"]\n'), FACTS)
    assert sorted(rules_of(found)) == sorted([name, "unused-allow"])


def test_the_document() -> None:
    """It has the table as it is: ``python -m tests.lint.rules_document`` writes it anew."""
    assert rules_document.DOCUMENT.read_text("utf-8") == rules_document.written()
