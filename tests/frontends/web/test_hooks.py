"""Tests of the hooks at a web listener, as their senders and as attackers."""

import hmac
import json
from typing import Any
from unittest.mock import patch

from twisted.internet.defer import Deferred, fail
from twisted.trial.unittest import SynchronousTestCase

from cmdserver.auth.hook_authenticator import ArmedHook
from cmdserver.config.schema.host import Limits
from cmdserver.core.errors import Busy, Code
from cmdserver.core.events import LoggedIn
from cmdserver.core.listening import Login
from cmdserver.core.model import Role
from cmdserver.dispatch.policy import Policy
from cmdserver.frontends.web.hooks import is_hook
from cmdserver.frontends.web.http import large_bodies
from cmdserver.parameters.number_types import Integer
from cmdserver.parameters.text_types import String
from cmdserver.triggers.hook import Condition, Hook, SignatureRule, ValuePath
from tests.dispatch.doubles import taking
from tests.frontends.web.doubles import HOST, Client, Response, WebComposition
from tests.parameters.doubles import a_parameter, optional
from tests.running_doubles import command

SECRET = b"s3cr3t"
PUSH = b'{"ref": "refs/heads/main", "after": "abc"}'


def signed(body: bytes, secret: bytes = SECRET) -> str:
    """Sign as GitHub does."""
    return f"sha256={hmac.digest(secret, body, 'sha256').hex()}"


def a_hook(name: str = "deploy", **differences: Any) -> ArmedHook:
    """Make a hook that is GitHub's."""
    return ArmedHook(
        Hook(
            **{
                "name": name,
                "command": "restart",
                "secret_files": ("/s",),
                "signature": SignatureRule.parse("github"),
                **differences,
            }
        ),
        (SECRET,),
    )


class HooksTestCase(SynchronousTestCase):
    login = Login.REQUIRED
    limits = Limits(request_bytes=100)

    def setUp(self) -> None:
        self.commands = [
            command("restart", read_only=False),
            command("other", read_only=False),
            taking("take", a_parameter("revision", String()), optional("count", Integer(minimum=1))),
        ]
        self.composition = WebComposition(self, *self.commands, login=self.login, limits=self.limits)
        self.composition.hooks["deploy"] = a_hook()
        self.permit("hook:deploy", "restart", "take")

    def permit(self, name: str, *patterns: str) -> None:
        """Let a caller run commands."""
        role = Role(name="machines", patterns=patterns, users=frozenset({name}))
        self.composition.dispatcher.reconfigure(Policy(self.commands, [role], ["tcp:2080"]))

    def post(self, body: bytes = PUSH, name: str = "deploy", **headers: str) -> Client:
        """Send a request; signed unless a header says otherwise."""
        fields = {"x_hub_signature_256": signed(body), "content_type": "application/json", **headers}
        return self.composition.ask_for(f"/-/hooks/{name}", "POST", body=body, **fields)

    def answer(self, body: bytes = PUSH, name: str = "deploy", **headers: str) -> Response:
        """Send a request, and return the answer."""
        return self.post(body, name, **headers).response

    @property
    def runs(self) -> list[list[str]]:
        """What was started."""
        return [list(each.argv) for each in self.composition.spawner.processes]

    @property
    def requests(self) -> list[tuple[str | None, str | None, str, Code, tuple[str, ...]]]:
        """What was written down of requests."""
        return [
            (each.caller.name, each.command, each.caller.method, each.outcome, each.arguments)
            for each in self.composition.ledger.requests
        ]

    @property
    def logins(self) -> list[tuple[str | None, Code]]:
        """What was written down of logins."""
        events = self.composition.ledger.events
        return [(each.user, each.outcome) for each in events if isinstance(each, LoggedIn)]


class StartTests(HooksTestCase):
    def test_a_signed_request_starts_the_command(self) -> None:
        """It is answered at once, with the run's id and where it is; no login is asked for."""
        answer = self.answer()

        (started,) = self.composition.ledger.starts
        self.assertEqual((answer.status, answer.json), (202, {"id": started.id}))
        self.assertEqual(answer["location"], f"/-/runs/{started.id}")
        self.assertEqual((started.caller.name, started.caller.source), ("hook:deploy", "192.0.2.1"))
        self.assertEqual(len(self.runs), 1)
        self.composition.process.ends()
        self.assertEqual(self.requests, [("hook:deploy", "restart", "hook", Code.OK, ())])
        self.assertEqual(self.logins, [])

    def test_its_sender_may_leave(self) -> None:
        """The run goes on."""
        self.post().gone()
        self.composition.clock.advance(1)
        self.assertEqual(self.composition.spawner.signals, [])
        self.composition.process.ends()
        self.assertEqual(self.requests[0][3], Code.OK)

    def test_the_id_alone_as_text(self) -> None:
        """For scripts, which say so."""
        answer = self.answer(accept="text/plain")

        self.assertEqual(answer.text, f"{self.composition.ledger.starts[0].id}\n")
        self.assertTrue(answer["content-type"].startswith("text/plain"))

    def test_below_a_path(self) -> None:
        """Where a proxy has us, the run is there too."""
        self.composition.base_path = "/ops"
        body = PUSH
        client = self.composition.ask_for(
            "/ops/-/hooks/deploy", "POST", body=body, x_hub_signature_256=signed(body), content_type="application/json"
        )
        self.assertEqual(client.response["location"][: len("/ops/-/runs/")], "/ops/-/runs/")

    def test_any_host_and_any_page(self) -> None:
        """What protects people does not concern who has signed: neither host, nor origin, nor token."""
        answer = self.answer(host="ci.example", origin="https://elsewhere.example", sec_fetch_site="cross-site")

        self.assertEqual(answer.status, 202)

    def test_other_credentials_do_not_matter(self) -> None:
        """It is the hook that asks, whoever else is named."""
        self.assertEqual(self.answer(authorization="Bearer nonsense").status, 202)
        self.assertEqual(self.composition.ledger.starts[0].caller.name, "hook:deploy")
        self.assertEqual(self.composition.listener_auth.logins, [])

    def test_the_connection_is_no_strangers_any_more(self) -> None:
        """It gives its place among those who have not logged in back."""
        client = self.post()
        self.assertEqual(self.composition.listener_auth.unauthenticated_connections, 0)
        client.gone()
        self.assertEqual(self.composition.listener_auth.offences, [])

    def test_gitlab(self) -> None:
        """With its token."""
        self.composition.hooks["deploy"] = a_hook(signature=SignatureRule.parse("gitlab"))
        self.assertEqual(self.answer(x_gitlab_token="s3cr3t").status, 202)
        self.assertEqual(self.answer(x_gitlab_token="s3cr3").status, 401)
        self.assertEqual(self.answer().status, 401)

    def test_a_header_of_ones_own(self) -> None:
        """With plain HMAC."""
        self.composition.hooks["deploy"] = a_hook(signature=SignatureRule.parse("hmac-sha256:X-Mine"))
        self.assertEqual(self.answer(x_mine=signed(PUSH).removeprefix("sha256=")).status, 202)
        self.assertEqual(self.answer().status, 401)

    def test_a_form(self) -> None:
        """As GitHub can send it; it is signed as it is sent."""
        form = "application/x-www-form-urlencoded"
        self.composition.hooks["deploy"] = a_hook(only_if=(Condition(ValuePath.parse("body.a"), ("b",)),))
        self.assertEqual(self.answer(b"payload=%7B%22a%22%3A%22b%22%7D", content_type=form).status, 202)


class RefusedTests(HooksTestCase):
    def assert_refused(self, answer: Response) -> None:
        """Fail unless it is the one answer to all that is not right."""
        self.assertEqual(answer.status, 401)
        self.assertEqual(answer.text, "cmdserver: denied: Login failed.\n")
        self.assertEqual(answer["www-authenticate"], 'Signature realm="cmdserver"')
        self.composition.clock.advance(1000)

    def test_what_is_not_signed(self) -> None:
        """Wrong, missing, of another algorithm, twice, of another body: one answer, and nothing runs."""
        sha1 = hmac.digest(SECRET, PUSH, "sha1").hex()
        for value in (signed(PUSH, b"x"), f"sha1={sha1}", "", "sha256=", signed(b"{}"), f"{signed(PUSH)}0", "x"):
            self.assert_refused(self.answer(x_hub_signature_256=value))
        client = self.composition.connect()
        client.asks("/-/hooks/deploy", "POST", body=PUSH)
        self.assert_refused(client.response)
        twice = self.composition.connect()
        signature = f"X-Hub-Signature-256: {signed(PUSH)}\r\n" * 2
        head = f"POST /-/hooks/deploy HTTP/1.1\r\nHost: {HOST}\r\nContent-Length: {len(PUSH)}\r\n{signature}\r\n"
        twice.says(head.encode() + PUSH)
        self.assert_refused(twice.response)

        self.assertEqual((self.runs, self.requests), ([], []))
        self.assertEqual(set(self.logins), {("hook:deploy", Code.DENIED)})

    def test_a_hook_that_there_is_not(self) -> None:
        """Is not told from one that there is, whatever is sent there; nor is what no hook could be called."""
        known = self.answer(x_hub_signature_256="x")
        for name in ("other", "", "deploy/", "deploy/x", "a/b/c", "Deploy", "..", "%2e%2e", "%c3%a4"):
            unknown = self.answer(name=name)
            self.assert_refused(unknown)
            self.assertEqual(
                {each for each in unknown.headers if each[0] != "date"},
                {each for each in known.headers if each[0] != "date"},
            )

    def test_a_refusal_for_programs(self) -> None:
        """Without a reason, too."""
        answer = self.answer(x_hub_signature_256="x", accept="application/json")

        self.assertEqual(answer.json, {"error": {"code": "denied", "message": "Login failed."}})

    def test_nothing_is_read_before(self) -> None:
        """A body that is no JSON is refused for its signature."""
        self.assert_refused(self.answer(b"[" * 50, x_hub_signature_256="x"))

    def test_only_posts(self) -> None:
        """Whether there is such a hook or not."""
        for name in ("deploy", "other"):
            for method in ("GET", "HEAD", "PUT", "DELETE"):
                client = self.composition.ask_for(f"/-/hooks/{name}", method)
                self.assertEqual((client.response.status, client.response["allow"]), (405, "POST"))

    def test_without_an_audit_file(self) -> None:
        """Nothing runs, and nothing is refused that is not written down."""
        self.composition.ledger.is_full = True

        self.assertEqual(self.answer(x_hub_signature_256="x").status, 500)
        self.assertEqual(self.answer().status, 500)
        self.assertEqual(self.runs, [])


class NoLoginTests(RefusedTests):
    """Where nobody logs in, hooks are as elsewhere."""

    login = Login.NEVER


class OptionalLoginTests(RefusedTests):
    """And where one may."""

    login = Login.OPTIONAL


class RulesTests(HooksTestCase):
    def test_what_is_not_meant_runs_nothing(self) -> None:
        """It is answered as a success, and written down."""
        main = Condition(ValuePath.parse("body.ref"), ("refs/heads/main",))
        event = Condition(ValuePath.parse("header.X-GitHub-Event"), ("push",))
        self.composition.hooks["deploy"] = a_hook(only_if=(main, event))

        for body, kind, status in (
            (PUSH, "push", 202),
            (PUSH, "ping", 200),
            (PUSH.replace(b"main", b"other"), "push", 200),
            (b"{}", "push", 200),
            (b"", "push", 200),
        ):
            self.assertEqual(self.answer(body, x_github_event=kind).status, status)
        self.assertEqual(len(self.runs), 1)
        self.assertEqual(self.requests, [("hook:deploy", "restart", "hook", Code.SKIPPED, ())] * 4)
        answer = self.answer(b"{}")
        self.assertEqual(answer.json, {"skipped": True})
        self.assertEqual(self.answer(b"{}", accept="text/plain").text, "skipped\n")

    def test_values(self) -> None:
        """Those that the hook takes, and no others."""
        paths = (("revision", ValuePath.parse("body.after")), ("count", ValuePath.parse("query.n")))
        self.composition.hooks["deploy"] = a_hook(command="take", arguments=paths)

        self.assertEqual(self.answer(name="deploy?n=5&revision=evil&x=y").status, 202)
        self.assertEqual(self.runs[0][1:], ["abc", "5"])
        self.composition.process.ends()
        self.assertEqual(self.requests[0][4], ("revision=abc", "count=5"))

    def test_values_that_are_not_accepted(self) -> None:
        """They are told, as who sends them knows the secret; nothing runs."""
        paths = (("revision", ValuePath.parse("body.after")), ("count", ValuePath.parse("body.n")))
        self.composition.hooks["deploy"] = a_hook(command="take", arguments=paths)

        for body in (b'{"after": "-x"}', b'{"after": {}}', b"{}", b'{"after": "a", "n": 0}', b'{"after": ["a", "b"]}'):
            answer = self.answer(body)
            self.assertEqual((answer.status, answer.text.split(": ")[1]), (422, "bad_argument"), body)
        self.assertEqual(self.runs, [])
        self.assertEqual({each[3] for each in self.requests}, {Code.BAD_ARGUMENT})

    def test_what_is_no_json(self) -> None:
        """Is malformed once the signature is right; and so is what no parameter could take."""
        for body in (b"{", b'{"a": 1, "a": 2}', b"[NaN]", b"\xff"):
            answer = self.answer(body)
            self.assertEqual((answer.status, answer.text.split(": ")[1]), (400, "malformed"), body)
        self.assertEqual({each[:4] for each in self.requests}, {("hook:deploy", None, "hook", Code.MALFORMED)})

    def test_a_hook_has_the_rights_that_it_has(self) -> None:
        """And those of its role alone: what it may not run is denied, and written down."""
        self.permit("hook:deploy", "other")
        answer = self.answer()

        self.assertEqual((answer.status, answer.text.split(": ")[1]), (403, "denied"))
        self.assertEqual((self.runs, self.requests[0][3]), ([], Code.DENIED))
        self.permit("hook:else", "restart")
        self.assertEqual(self.answer().status, 403)

    def test_a_host_that_has_no_room_says_so(self) -> None:
        """Be it at once or later."""
        self.composition.dispatcher.close()
        self.assertEqual(self.answer().status, 503)
        later: Deferred[None] = Deferred()
        for started in (fail(Busy("no", 3)), later):
            composition = WebComposition(self, *self.commands, login=self.login, limits=self.limits)
            composition.hooks["deploy"] = a_hook()
            self.composition = composition
            self.permit("hook:deploy", "restart")
            with patch.object(composition.dispatcher, "start", return_value=started):
                client = self.post()
            if started is later:
                self.assertEqual(client.responses, [])
                later.errback(Busy("no", 3))
            self.assertEqual((client.response.status, client.response["retry-after"]), (503, "3"))


class BodyTests(HooksTestCase):
    def setUp(self) -> None:
        super().setUp()
        self.composition.hooks["deploy"] = a_hook(body_bytes=1000)
        self.composition.hooks["small"] = a_hook("small", body_bytes=50)

    def chunked(self, name: str, sizes: list[int]) -> Client:
        """Send a body in pieces, without an end."""
        client = self.composition.connect()
        client.says(f"POST /-/hooks/{name} HTTP/1.1\r\nHost: {HOST}\r\nTransfer-Encoding: chunked\r\n\r\n".encode())
        for size in sizes:
            if client.responses:
                break
            client.says(b"%x\r\n%s\r\n" % (size, b"x" * size))
        return client

    @property
    def held(self) -> int:
        """What large bodies hold."""
        return self.composition.front_end.large_bodies.held_bytes

    def test_a_hook_takes_more_than_others(self) -> None:
        """As much as it says, and what it holds is given back."""
        body = json.dumps({"x": "y" * 991}).encode()
        self.assertEqual(len(body), 1000)
        self.assertEqual(self.answer(body).status, 202)
        self.assertEqual(self.answer(body + b" ").status, 413)
        self.assertEqual(self.held, 0)

    def test_of_a_body_that_is_too_long_nothing_is_kept(self) -> None:
        """It is refused when it is announced, or when it shows."""
        announced = self.composition.connect()
        announced.says(f"POST /-/hooks/deploy HTTP/1.1\r\nHost: {HOST}\r\nContent-Length: 1001\r\n\r\n".encode())
        self.assertEqual(announced.response.status, 413)
        client = self.chunked("deploy", [400, 400])
        self.assertEqual((self.held, client.responses), (800, []))
        client = self.chunked("deploy", [400, 400, 400])
        self.assertEqual((client.response.status, self.held), (413, 800))

    def test_how_much_says_nothing_of_which_hooks_there_are(self) -> None:
        """All may have what the largest may; one that takes less says so to who has signed."""
        for name in ("small", "other", "a/b"):
            self.composition.clock.advance(1000)
            self.assertEqual(self.answer(b"x" * 1000, name, x_hub_signature_256="x").status, 401)
            self.assertEqual(self.answer(b"x" * 1001, name, x_hub_signature_256="x").status, 413)
        self.assertEqual(self.answer(b'"%s"' % (b"x" * 48), "small").status, 403)  # it has no role here
        self.assertEqual(self.answer(b'"%s"' % (b"x" * 49), "small").status, 413)

    def test_other_addresses_take_what_they_took(self) -> None:
        """However they are spelled."""
        for target in ("/restart", "/-/login", "/x/-/hooks/deploy", "/-/hooksx/a", "/-/static/hooks"):
            client = self.composition.ask_for(target, "POST", body=b"x" * 101)
            self.assertEqual(client.response.status, 413, target)

    def test_strangers_do_not_hold_all_memory(self) -> None:
        """All together have a most; who is gone gives back what they held."""
        with patch.object(large_bodies, "MOST_HELD_BYTES", 1500):
            first, second = self.chunked("deploy", [900]), self.chunked("x", [500])
            self.assertEqual(self.held, 1400)
            third = self.chunked("deploy", [90, 90])
            self.assertEqual((third.response.status, third.response["retry-after"]), (503, "5"))
            self.assertEqual(self.answer(b"{}").status, 202)
            first.gone()
            self.assertEqual(self.held, 500)
            self.assertEqual(self.answer(b'"%s"' % (b"x" * 998)).status, 202)
            second.gone()
        self.assertEqual(self.held, 0)

    def test_who_is_too_slow_gives_it_back(self) -> None:
        """A request has its time, however large it is."""
        client = self.chunked("deploy", [500])
        self.composition.clock.advance(self.limits.login_seconds)
        self.assertEqual(client.response.status, 408)
        self.composition.clock.advance(10)
        self.assertEqual(self.held, 0)


class AddressTests(SynchronousTestCase):
    def test_which_targets_are_hooks(self) -> None:
        """Those that are found there, and no others."""
        for target in (
            b"/-/hooks/x",
            b"/-/hooks",
            b"/-/hooks/",
            b"/%2d/hooks/x",
            b"http://a/-/hooks/x",
            b"/-/hooks/a/b",
        ):
            self.assertTrue(is_hook(target, ""), target)
        for target in (b"", b"*", b"/hooks/x", b"//-/hooks/x", b"/-/hook", b"/x?/-/hooks/x", b"/-/hooks/\xff", b"\0"):
            self.assertFalse(is_hook(target, ""), target)
        self.assertTrue(is_hook(b"/ops/-/hooks/x", "/ops"))
