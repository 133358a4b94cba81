"""Shell completion: the scripts that shells read, and what they are told of users, commands, keys and tokens.

What is offered is looked up in the files as they are, changes nothing, and is silent about trouble: who may not read
them is offered nothing.
"""

import os
from collections.abc import Callable, Iterable
from typing import Any, Final

import click
from click.shell_completion import CompletionItem, ShellComplete, get_completion_class

from cmdserver.auth.credential_store import CredentialError, CredentialStore
from cmdserver.cli.access import look_at_files, read_settings
from cmdserver.core.fingerprints import PREFIX
from cmdserver.core.names import ANONYMOUS, HOOK_PREFIX, SCHEDULE

SHELLS: Final = ("bash", "zsh", "fish")
#: As click asks for it: the name of the program, and of the variable by which a shell asks what to offer.
_PROGRAM, _VARIABLE = "cmdserver", "_CMDSERVER_COMPLETE"

#: What click has for fish, and what does not end words and descriptions at their first comma.
_UNBOUNDED_SPLIT: Final = ('string split "," $completion', 'string split -m1 "," $completion')

#: What whoever has only pressed Tab does not want to know.
_TROUBLE = (click.ClickException, CredentialError, OSError)

#: Says what may stand in a place, whether or not it begins with what was typed, which it is given.
Offer = Callable[[click.Context, str], Iterable[str]]


def script(shell: str, command: click.Command) -> str:
    """Return what a shell reads to complete the words of a command."""
    kind = get_completion_class(shell)
    if kind is None:
        raise ValueError(f"there is no completion for {shell}")
    # Not `source` of the kind itself: bash's would run another bash, to ask for its version.
    text = ShellComplete.source(kind(command, {}, _PROGRAM, _VARIABLE))
    return text.replace(*_UNBOUNDED_SPLIT) if shell == "fish" else text


def items(offer: Offer, ctx: click.Context, incomplete: str) -> list[CompletionItem]:
    """Return what is offered for a word that was begun."""
    try:
        return [CompletionItem(each) for each in offer(ctx, incomplete) if each.startswith(incomplete)]
    except _TROUBLE:
        return []


def users(ctx: click.Context, _: str = "") -> Iterable[str]:
    """Offer those who have a password, a key or a token, and whom roles name."""
    listed = {name for role in read_settings(ctx).roles.values() if role for name in role.users}
    present = set(_look(ctx, lambda files: files.users()))
    return sorted(present | {name for name in listed if name != SCHEDULE and not name.startswith(HOOK_PREFIX)})


def callers(ctx: click.Context, _: str = "") -> Iterable[str]:
    """Offer users, and callers who are none."""
    settings = read_settings(ctx)
    return [*users(ctx), ANONYMOUS, SCHEDULE, *(f"{HOOK_PREFIX}{name}" for name in settings.hooks)]


def commands(ctx: click.Context, _: str = "") -> Iterable[str]:
    """Offer the commands of the configuration."""
    return sorted(read_settings(ctx).commands)


def command_list(ctx: click.Context, incomplete: str) -> Iterable[str]:
    """Offer one more command behind those of a list that was begun."""
    before = incomplete[: incomplete.rfind(",") + 1]
    return [before + each for each in commands(ctx)]


def nothing(_ctx: click.Context, _incomplete: str) -> Iterable[str]:
    """Offer nothing."""
    return ()


def labels(ctx: click.Context, _: str = "") -> Iterable[str]:
    """Offer what the tokens are called of the user who was named before."""
    name = ctx.params.get("name")
    return _look(ctx, lambda files: [token.handle for token in files.tokens() if token.name == name])


def fingerprints(ctx: click.Context, _: str = "") -> Iterable[str]:
    """Offer the fingerprints of the keys of the user who was named before."""
    name = ctx.params.get("name")
    found = _look(ctx, lambda files: [key.fingerprint for key in files.keys(name or "")])
    # To bash a colon ends a word.
    is_bash = os.environ.get(_VARIABLE, "").startswith("bash")
    return [each.removeprefix(PREFIX) for each in found] if is_bash else found


def _look(ctx: click.Context, get: Callable[[CredentialStore], Any]) -> Iterable[str]:
    """Look something up in the credentials, if they are there and may be read."""
    try:
        with look_at_files(ctx) as files:
            return tuple(get(files)) if files is not None else ()
    except _TROUBLE:
        return ()
