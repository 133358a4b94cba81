"""Tests of whose requests to hooks are, and of what is told and written of the others."""

import hmac
from unittest.mock import patch

from twisted.internet.task import Clock
from twisted.trial.unittest import SynchronousTestCase

from cmdserver.auth import hook_authenticator
from cmdserver.auth.callers import Arrival, hooked
from cmdserver.auth.hook_authenticator import ArmedHook, HookAuthenticator
from cmdserver.core.errors import Code, Fault, LoginRefused, RequestError
from cmdserver.core.events import EventLog, LoggedIn
from cmdserver.core.model import Caller
from cmdserver.triggers.hook import Hook, SignatureRule
from tests.running_doubles import MemoryLedger

HERE = Arrival("web", "192.0.2.1", "tcp:2080")
HOOK = Hook(name="deploy", command="x", secret_files=("/s",), signature=SignatureRule.parse("github"))
SECRET, BODY = b"s3cr3t", b'{"a": 1}'
HEADER = "X-Hub-Signature-256"


def signed(body: bytes = BODY, secret: bytes = SECRET) -> bytes:
    """Sign as GitHub does."""
    return b"sha256=" + hmac.digest(secret, body, "sha256").hex().encode()


class HookAuthenticatorTests(SynchronousTestCase):
    def setUp(self) -> None:
        self.hooks = {"deploy": ArmedHook(HOOK, (SECRET,))}
        self.ledger, self.clock = MemoryLedger(), Clock()
        self.authenticator = HookAuthenticator(lambda: self.hooks, EventLog(self.ledger), lambda: 1_700_000_000.0)

    def log_in(self, *values: bytes, name: str = "deploy", body: bytes = BODY, header: str = HEADER) -> Caller:
        """Try; return who it is."""
        headers = {header.lower(): values}
        hook, caller = self.authenticator.log_in(HERE, name, lambda each: headers.get(each.lower(), ()), body)
        self.assertIs(hook, HOOK)
        return caller

    def refusal(self, *values: bytes, name: str = "deploy", body: bytes = BODY, header: str = HEADER) -> RequestError:
        """Try; return what the sender is told."""
        with self.assertRaises(RequestError) as caught:
            self.log_in(*values, name=name, body=body, header=header)
        error: RequestError = caught.exception
        return error

    @property
    def written(self) -> list[tuple[str | None, str, str, Code, str | None]]:
        """What was written down; all of it is of logins."""
        found = []
        for event in self.ledger.events:
            assert isinstance(event, LoggedIn)
            found.append((event.user, event.method, event.source, event.outcome, event.reason))
        return found

    def test_who_knows_the_secret_is_the_hook(self) -> None:
        """That is no login: the request is written down as everybody's is."""
        self.assertEqual(self.log_in(signed()), hooked("deploy", HERE))
        self.assertEqual(self.ledger.events, [])

    def test_nobody_else_is(self) -> None:
        """All are told the same, whatever is wrong, and whether there is such a hook."""
        for told in (
            self.refusal(signed(secret=b"x")),
            self.refusal(signed(), body=BODY + b" "),
            self.refusal(),
            self.refusal(signed(), name="other"),
        ):
            self.assertEqual((type(told), str(told)), (LoginRefused, "Login failed."))
        self.assertEqual(len(self.written), 4)

    def test_what_is_written_of_each(self) -> None:
        """The hook, the source and the reason."""
        for name, values, header, reason in (
            ("deploy", (signed(secret=b"x"),), HEADER, "the signature in X-Hub-Signature-256 is not right"),
            ("deploy", (signed(), signed()), HEADER, "the signature in X-Hub-Signature-256 is there 2 times"),
            ("deploy", (signed(),), "X-Other", "the signature in X-Hub-Signature-256 is there 0 times"),
            ("other", (signed(),), HEADER, "there is no such hook"),
            ("", (signed(),), HEADER, "there is no such hook"),
        ):
            self.ledger.events.clear()
            self.clock.advance(1000)
            self.refusal(*values, name=name, header=header)
            self.assertEqual(self.written, [(f"hook:{name}", "hook", "192.0.2.1", Code.DENIED, reason)])

    def test_a_long_name_is_not_written_down(self) -> None:
        """Not as it is."""
        self.refusal(name="x" * 10_000)

        self.assertEqual(self.written[0][0], "hook:" + "x" * 64)

    def test_a_hook_without_secrets_is_nobodys(self) -> None:
        """And one that is taken out, or has other secrets, is no more whose it was."""
        for armed in (ArmedHook(HOOK, ()), ArmedHook(HOOK, (b"",)), ArmedHook(HOOK, (b"new",))):
            self.hooks["deploy"] = armed
            self.clock.advance(1000)
            for secret in (SECRET, b""):
                self.assertIsInstance(self.refusal(signed(secret=secret)), LoginRefused)
        del self.hooks["deploy"]
        self.assertIsInstance(self.refusal(signed()), LoginRefused)

    def test_nobody_finds_out_by_the_time_which_hooks_there_are(self) -> None:
        """As much is worked out for a hook that there is not."""
        for name in ("deploy", "other"):
            with patch.object(hook_authenticator, "is_right", return_value=False) as asked:
                self.refusal(signed(), name=name)
            (call,) = asked.call_args_list
            self.assertEqual((len(call.args[1]), call.args[3]), (1, BODY))

    def test_nobody_is_locked_out(self) -> None:
        """The next one is let in, however many were wrong: they may be a stranger's from the same address."""
        for _ in range(20):
            self.assertIsInstance(self.refusal(signed(secret=b"x")), LoginRefused)
        self.assertEqual(self.log_in(signed()).name, "hook:deploy")

    def test_without_an_audit_file_it_is_a_fault(self) -> None:
        """Whatever was wrong."""
        self.ledger.is_full = True

        self.assertIsInstance(self.refusal(signed(secret=b"x")), Fault)
        self.assertIsInstance(self.refusal(name="other"), Fault)

    def test_no_secret_is_written(self) -> None:
        """Nor the signature that there should have been: whoever reads the file could use it."""
        self.refusal(signed(secret=b"x"))

        self.assertNotIn(SECRET.decode(), repr(self.ledger.events))
        self.assertNotIn(signed().decode()[7:], repr(self.ledger.events))
