"""The version of the package that is installed: looked up once, as its files may be out of the daemon's reach later."""

from importlib.metadata import version
from typing import Final

VERSION: Final = version("cmdserver")
