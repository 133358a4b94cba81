"""What can go wrong, in words for the person who reads the answer."""

import os


class WrongUsage(Exception):  # noqa: N818 - a statement
    """What was asked for cannot be asked; the text says what is wrong, and what to do."""


class ProbeFailed(Exception):  # noqa: N818 - a statement
    """The target does not do what it should; the text says how."""


class CannotTell(Exception):  # noqa: N818 - a statement
    """Nothing is known of the target, for a reason on this side; the text says what to do."""


class TooMuch(ProbeFailed):
    """The target sends more than anybody wants to read."""


#: What the standard library's clients raise beside their own errors when an answer makes no sense.
NONSENSE = (ValueError, LookupError, TypeError, AttributeError, AssertionError, EOFError, OverflowError, MemoryError)

_NO_TLS = {
    "WRONG_VERSION_NUMBER",
    "UNEXPECTED_MESSAGE",
    "HTTP_REQUEST",
    "RECORD_LAYER_FAILURE",
    "PACKET_LENGTH_TOO_LONG",
}
_CLOSED = {"UNEXPECTED_EOF_WHILE_READING"}


def describe(error: Exception) -> str:
    """Say what an error means, without the name of a Python class where there is a better word."""
    # smtplib's errors are OSErrors, too, with what the target said.
    if isinstance(error, OSError) and not any(isinstance(each, bytes) for each in error.args):
        return _describe_os(error)
    if isinstance(error, EOFError):
        return "the target closed the connection"
    if isinstance(error, NONSENSE):
        # The text of such an error can hold a piece of what was sent, a password's letter too.
        return f"the target's answer makes no sense ({type(error).__name__})"
    return _said_by_target(error) or type(error).__name__


def _said_by_target(error: Exception) -> str:
    """Write the arguments of a client's own error; octets among them are the target's."""
    words = [each.decode("utf-8", "backslashreplace") if isinstance(each, bytes) else str(each) for each in error.args]
    text = " ".join(words)
    return f"the target says: {text}" if any(isinstance(each, bytes) for each in error.args) else text


def _describe_os(error: OSError) -> str:
    # ssl's errors are looked at by their attributes: to import ssl for a refused connection takes longer than to probe.
    message = getattr(error, "verify_message", "")
    if message:
        return f"the certificate is refused: {_begin_small(message)}"
    reason = getattr(error, "reason", None)
    if reason in _NO_TLS:
        return f"the target does not speak TLS ({_words(reason)})"
    if reason in _CLOSED:
        return "the target closed the connection"
    if isinstance(reason, str) and reason:
        return _words(reason)
    if isinstance(error, TimeoutError):
        return "no answer in time"
    text = error.strerror or (os.strerror(error.errno) if error.errno else str(error))
    return _begin_small(text) or type(error).__name__


def _words(reason: str) -> str:
    return reason.lower().replace("_", " ")


def _begin_small(text: str) -> str:
    return text[:1].lower() + text[1:] if text[1:2].islower() else text
