"""Commands that take values, for the tests of who may give which."""

from typing import Any

from cmdserver.core.model import Command
from cmdserver.parameters.declaration import Parameter
from cmdserver.parameters.parameter_list import ParameterList
from cmdserver.parameters.template import Element, Place, Template
from tests.running_doubles import command


def taking(name: str, *parameters: Parameter, **differences: Any) -> Command:
    """Make a command that takes values, each of which stands in a place of its own."""
    elements = tuple(
        Element(((Place(each.name),),), is_nested=True) for each in parameters if "run" in each.type.places
    )
    others = tuple((each.name, (Place(each.name),)) for each in parameters if "run" not in each.type.places)
    return command(
        name,
        parameters=ParameterList(parameters),
        template=Template(elements=elements, environment=others),
        **differences,
    )
