"""Who may newly do what, and who may no longer."""

import pytest

from tests.diff.doubles import FILE, LISTEN, differences, edited

#: A command with a value, which a role narrows.
NARROWED = f"""
{LISTEN}
[commands.restart]
run = ["systemctl", "restart", "{{unit}}"]
[[commands.restart.parameters]]
name = "unit"
type = "string"
[roles.staff]
users = ["ann"]
commands = ["restart"]
only.restart.unit = ["nginx"]
"""


def test_nothing() -> None:
    """Nothing is nothing: order, comments, roles that give the same."""
    assert differences(FILE, FILE) == []
    parts = FILE.split("[commands.up]")
    assert differences(FILE, "# a comment\n" + FILE.replace('["df", "up"]', '["up", "df"]')) == []
    assert differences(FILE, FILE.replace('["df", "up"]', '["*"]')) == []
    assert differences(FILE, FILE.replace("roles.staff", "roles.crew")) == []
    divided = FILE.replace('["df", "up"]', '["df"]\n[roles.more]\nusers = ["ann"]\ncommands = ["up"]')
    assert differences(FILE, divided) == []
    assert len(parts) == 2


@pytest.mark.parametrize(
    ("old", "new", "said"),
    [
        ('users = ["ann"]', 'users = ["ann", "bob"]', "+ bob (role staff): may run df, up"),
        ('users = ["ann"]', 'users = ["bob"]', "+ bob (role staff): may run df, up|- ann: may no longer run df, up"),
        ('["df", "up"]', '["df"]', "- ann (role staff): may no longer run up"),
        ("[roles.staff]", '[roles.anonymous]\ncommands = ["u*"]\n[roles.staff]', "+ anonymous: may run up"),
        (
            "[roles.staff]",
            '[roles.authenticated]\ncommands = ["u*"]\n[roles.staff]\n',
            "+ authenticated (every user): may run up",
        ),
        ('"df", "up"]', '"df", "up"]\nsees = ["*"]\nstops = ["df"]',
         ("+ ann (role staff): may see others' runs of df, up|"
         "+ ann (role staff): may stop others' runs of df")),
    ],
)  # fmt: skip
def test_who_may_do_what(old: str, new: str, said: str) -> None:
    """Callers gain and lose; and the way back says the opposite."""
    found = edited((old, new))
    assert found == said.split("|")
    back = differences(FILE.replace(old, new), FILE)
    assert [each[0] for each in back] == [{"+": "-", "-": "+"}[each[0]] for each in found[::-1]]


#: Who may run something only after they have shown a second factor.
ADMIN = '[roles.admin]\nusers = ["ann", "bob"]\nsecond_factor = true\ncommands = ["up"]\nsees = ["up"]\n'


@pytest.mark.parametrize(
    ("old", "new", "said"),
    [
        ("second_factor = true\n", "",
         ("+ ann, bob (role admin): may run up without a second factor|"
          "+ ann, bob (role admin): may see others' runs of up without a second factor")),
        ('users = []\ncommands = ["df"]', 'users = ["ann"]\ncommands = ["up"]',
         "+ ann (roles staff, admin): may run up without a second factor"),
        ('commands = ["up"]', 'commands = ["*"]', "+ ann, bob (role admin): may run df"),
        ('"bob"]', '"bob", "cleo"]', "+ cleo (role admin): may run up|+ cleo (role admin): may see others' runs of up"),
    ],
)  # fmt: skip
def test_a_second_factor_counts(old: str, new: str, said: str) -> None:
    """What is newly had without one is told, though the same callers had it; and the way back says the opposite."""
    file = FILE.replace('users = ["ann"]', "users = []").replace('["df", "up"]', '["df"]') + ADMIN
    assert edited((old, new), file=file) == said.split("|")
    back = differences(file.replace(old, new), file)
    assert [each[0] for each in back] == ["-"] * len(said.split("|"))


def test_who_can_show_no_second_factor() -> None:
    """A role that asks for one gives nothing to a schedule, which had leave of its own until a role named it."""
    file = FILE.replace('["uptime"]', '["uptime"]\nschedule = "1 * * * *"')
    named = '["df", "up"]\n[roles.night]\nusers = ["schedule"]\ncommands = ["up"]'
    assert edited(('["df", "up"]', named), file=file) == []
    assert edited(('["df", "up"]', f"{named}\nsecond_factor = true"), file=file) == [
        "- schedule (role night): may no longer run up"
    ]


def test_a_glob_catches_a_new_command() -> None:
    """Who has the glob may run it, without a word of the role's."""
    old = FILE.replace('["df", "up"]', '["*"]')
    found = differences(old, f'{old}[commands.nft]\nrun = ["nft", "list"]\nuser = "root"\n')
    assert found == [
        "+ ann (role staff): may run nft as root",
        "+ command nft (run by ann): is new: runs nft list as root",
    ]


def test_those_who_change_alike_stand_together() -> None:
    """Two hundred users are a line."""
    old = FILE.replace('"ann"', ", ".join(f'"user{each}"' for each in range(200)))
    (line,) = differences(old, old.replace('["df", "up"]', '["df"]'))
    assert line.startswith("- user0, user1, user10, ")
    assert line.endswith("and 180 more (role staff): may no longer run up")


def test_those_with_other_roles_stand_together_too() -> None:
    """Then no role is named."""
    old = FILE.replace("[roles.staff]", '[roles.crew]\nusers = ["bob"]\ncommands = ["*"]\n[roles.staff]')
    old = old.replace('["df", "up"]', '["*"]')
    found = differences(old, f'{old}[commands.log]\nrun = ["log"]\n')
    assert found[0] == "+ ann, bob: may run log"


def test_what_everybody_gains_is_said_once() -> None:
    """Users have it because every user has; who had it has gained nothing."""
    found = edited(
        ("[roles.staff]", '[roles.authenticated]\ncommands = ["*"]\n[roles.x]\nusers = ["bob"]\n[roles.staff]')
    )
    assert found == ["+ authenticated (every user): may run df, up"]


@pytest.mark.parametrize(
    ("new", "said"),
    [
        ('only.restart.unit = ["nginx", "web-*"]',
         ("+ ann (role staff): may run restart with unit nginx or web-*, before"
         " with unit nginx")),
        ("", "+ ann (role staff): may run restart with any values, before with unit nginx"),
        ('only.restart.unit = ["ng*"]', "+ ann (role staff): may run restart with unit ng*, before with unit nginx"),
        ('only.restart.unit = ["web"]', "~ ann (role staff): may run restart with unit web, before with unit nginx"),
        ('only.restart.unit = ["nginx"]', ""),
        ('only.restart.unit = ["nginx"]\n[roles.b]\nusers = ["ann"]\ncommands = ["restart"]', ("+ ann (roles staff, b):"
         " may run restart with any values, before with unit nginx")),
    ],
)  # fmt: skip
def test_values(new: str, said: str) -> None:
    """What roles leave of values, together; the way back narrows."""
    changed = NARROWED.replace('only.restart.unit = ["nginx"]\n', f"{new}\n")
    assert differences(NARROWED, changed) == ([said] if said else [])
    back = [each[0] for each in differences(changed, NARROWED)]
    assert back == [{"+": "-", "~": "~"}[each[0]] for each in ([said] if said else [])]


def test_a_door_that_is_shut() -> None:
    """Where nobody is let in without a login the anonymous may do nothing, whatever their role says."""
    old = FILE + '[roles.anonymous]\ncommands = ["df"]\n'
    found = differences(old.replace('"optional"', '"required"'), old)
    assert found[0] == "+ anonymous: may run df"
    found = differences(old, old.replace('"optional"', '"never"'))
    assert found[0] == "- ann (role staff): may no longer run df, up"


def test_triggers() -> None:
    """Schedules and hooks run what they are there for, and nothing else that their roles have."""
    role = '[roles.robots]\nusers = ["schedule"]\ncommands = ["*"]\n'
    old = FILE.replace('run = ["df"]', 'run = ["df"]\nschedule = "* * * * *"') + role
    found = differences(old, old.replace('run = ["uptime"]', 'run = ["uptime"]\nschedule = "1 * * * *"'))
    assert found == [
        "+ schedule (role robots): may run up",
        '+ command up (run by ann, schedule): runs by itself at "1 * * * *"',
    ]
