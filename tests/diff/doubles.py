"""Two files, and what is said of their difference."""

from cmdserver.config.configuration import Configuration
from cmdserver.config.host import AnotherHost
from cmdserver.config.loading import configure
from cmdserver.diff.change import lines
from cmdserver.diff.comparing import compare

LISTEN = '[[listen]]\nprotocol = "line"\nendpoint = "tcp:2022:interface=127.0.0.1"\nlogin = "optional"\n'
#: Two commands, and a user who may run both.
FILE = f"""
{LISTEN}
[commands.df]
run = ["df"]
[commands.up]
run = ["uptime"]
[roles.staff]
users = ["ann"]
commands = ["df", "up"]
"""


def configuration(text: str) -> Configuration:
    """Read a file."""
    return configure(text, AnotherHost(), lambda _: None)


def differences(old: str, new: str) -> list[str]:
    """List what is said of a change from one file to another."""
    return lines(compare(configuration(old), configuration(new)))


def edited(*pairs: tuple[str, str], file: str = FILE) -> list[str]:
    """List what is said of a change of words of a file."""
    new = file
    for old_words, new_words in pairs:
        assert old_words in new
        new = new.replace(old_words, new_words)
    return differences(file, new)
