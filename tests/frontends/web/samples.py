"""Commands that take values of every kind, for the tests of the web."""

from decimal import Decimal
from typing import Any

from cmdserver.core.model import Command
from cmdserver.core.site import Site
from cmdserver.parameters.declaration import Parameter
from cmdserver.parameters.host_type import Host
from cmdserver.parameters.number_types import Duration, Integer, Number, Port
from cmdserver.parameters.parameter_list import ParameterList
from cmdserver.parameters.template import Element, Template, parse_pieces
from cmdserver.parameters.text_types import Choice, Flag, Secret, String, Text
from cmdserver.parameters.time_types import Date, DateTime
from tests.running_doubles import command


def taking(name: str, run: list[Any], *parameters: Parameter, stdin: str | None = None, **differences: Any) -> Command:
    """Make a command with parameters; ``run`` is as in the configuration, without its program."""
    environment = differences.pop("variables", {})
    template = Template(
        elements=tuple(
            Element((parse_pieces(each),))
            if isinstance(each, str)
            else Element(tuple(map(parse_pieces, each)), is_nested=True)
            for each in run
        ),
        environment=tuple((variable, parse_pieces(text)) for variable, text in environment.items()),
        stdin=None if stdin is None else parse_pieces(stdin),
    )
    confirm = differences.pop("confirm", "")
    return command(
        name,
        run=(name, *map(str, run)),
        parameters=ParameterList(parameters),
        template=template,
        confirm=parse_pieces(confirm) if confirm else (),
        **differences,
    )


SHOP = Site(name="shop1", label="production", notice="Ask first.")
UNIT = Parameter(
    name="unit", label="Service", help="Which service", type=Choice(choices={"nginx": "nginx", "pg": "The database"})
)
LINES = Parameter(name="lines", label="Lines", type=Integer(minimum=1, maximum=500), is_required=False, default=("50",))
GREP = Parameter(
    name="grep", label="Only lines with", type=String(max_length=60), is_required=False, example="upstream timed out"
)

JOURNAL = taking(
    "journal",
    ["--unit={unit}", ["--lines={lines}"], ["--since", "{since}"], ["--grep", "{grep}"], "{utc}"],
    UNIT,
    LINES,
    Parameter(name="since", label="Since", type=DateTime(), is_required=False),
    GREP,
    Parameter(name="utc", label="Times", help="In UTC", type=Flag(gives=("--utc",)), is_required=False),
    title="Journal of a service",
    section="Logs",
    help="The last lines of its log",
)

RESTART = taking(
    "restart",
    ["{unit}"],
    UNIT,
    title="Restart a service",
    section="Services",
    confirm="Restart {unit}?",
    read_only=False,
)

#: Asks on the form itself whether it is meant.
SETPW = taking(
    "setpw",
    ["{user}"],
    Parameter(name="user", label="User", type=String()),
    Parameter(name="password", label="Password", type=Secret()),
    stdin="{password}",
    variables={"PW": "{password}"},
    confirm="Change it for {user}?",
    read_only=False,
)

#: Only reads, and takes a secret.
PEEK = taking(
    "peek",
    ["{user}"],
    Parameter(name="user", label="User", type=String()),
    Parameter(name="pin", label="PIN", type=Secret(), is_required=False, default=("0000",)),
    stdin="{pin}",
)

EVERY = taking(
    "every",
    ["{hosts}", ["{port}"], ["{ratio}"], ["{day}"], ["{wait}"], ["{tags}"], "{loud}"],
    Parameter(name="hosts", label="Hosts", type=Host(), repeat=3),
    Parameter(name="port", label="Port", type=Port(), is_required=False),
    Parameter(name="ratio", label="Ratio", type=Number(maximum=Decimal("1.5")), is_required=False),
    Parameter(name="day", label="Day", type=Date(), is_required=False),
    Parameter(name="wait", label="Wait", type=Duration(maximum=3600), is_required=False),
    Parameter(name="tags", label="Tags", type=Choice(choices={"a": "a", "b": "b"}), repeat=2, is_required=False),
    Parameter(name="loud", label="Loud", type=Flag(gives=("-v",)), is_required=False, default=("true",)),
    Parameter(name="note", label="Note", type=Text()),
    stdin="{note}",
)

SERVICES = command("services")
PICK = taking("pick", ["{unit}"], Parameter(name="unit", label="Service", type=Choice(source="services")))
