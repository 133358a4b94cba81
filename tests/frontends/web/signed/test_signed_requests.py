"""Tests of signed requests over HTTP: how they log in, beside what they do not, and that their answers are signed."""

import json
from ipaddress import ip_network
from typing import Any

from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from http_message_signatures import InvalidSignature
from msgspec.structs import replace
from twisted.internet.defer import succeed

from cmdserver.auth.credentials import RequestSignature
from cmdserver.core.addresses import TrustedProxies
from cmdserver.core.listening import Login
from tests.frontends.web.doubles import CLIENT, HOST_KEY, Response, WebComposition
from tests.frontends.web.test_authentication import WebTestCase
from tests.running_doubles import command, user
from tests.signing import Answered, Asked, Signing, verify_answer

#: Why a login fails that is not alone.
TWICE = "there is another way to log in beside it"
JSON = {"accept": "application/json"}
HOST_LINE = HOST_KEY.public_key().public_bytes(Encoding.OpenSSH, PublicFormat.OpenSSH).decode()


class SignedRequestTests(WebTestCase):
    def setUp(self) -> None:
        super().setUp()
        self.signing = Signing()

    def ask(self, asked: Asked, headers: dict[str, str] | None = None) -> Response:
        """Send a request, and let what it runs end."""
        fields = {name.lower().replace("-", "_"): value for name, value in {**asked.headers, **(headers or {})}.items()}
        client = self.composition.ask_for(asked.target, asked.method, body=asked.body or None, **JSON, **fields)
        if not client.responses:
            self.composition.process.says(b"up\n")
            self.composition.process.ends()
        return client.response

    @property
    def shown(self) -> list[Any]:
        """What was shown in logins."""
        return self.composition.listener_auth.logins

    def test_a_login(self) -> None:
        """What the signature says is what is checked; the answer is JSON, and signed by the host for this request."""
        asked = self.signing.ask()
        response = self.ask(asked)

        (shown,) = self.shown
        self.assertIsInstance(shown, RequestSignature)
        self.assertEqual((shown.name, shown.fingerprint), ("ada", self.signing.fingerprint))
        self.assertEqual((response.status, json.loads(response.body)["stdout"]), (200, "up\n"))
        covered = self.verify(response, asked)
        self.assertEqual(covered['"cmdserver-host"'], "web-1")

    def verify(self, response: Response, asked: Asked, **differences: Any) -> Any:
        """Verify an answer that is perhaps another one."""
        headers = {name.title(): value for name, value in response.headers}
        headers.update(differences.pop("headers", {}))
        answered = Answered(differences.get("status", response.status), headers, asked)
        return verify_answer(answered, differences.get("body", response.body), HOST_LINE)

    def test_what_another_answer_is_worth(self) -> None:
        """Nothing: with another status, body, type or host, or to another request."""
        asked = self.signing.ask()
        response = self.ask(asked)
        another = self.signing.ask(nonce="f" * 16)

        for different in (
            {"status": 403}, {"body": response.body + b" "}, {"headers": {"Content-Type": "text/plain"}},
            {"headers": {"Cmdserver-Host": "web-2"}},
        ):  # fmt: skip
            with self.assertRaises(InvalidSignature, msg=different):
                self.verify(response, asked, **different)
        with self.assertRaises(InvalidSignature):
            self.verify(response, another)

    def test_errors_are_signed(self) -> None:
        """Whoever is known is answered so, whatever the answer is; no content coding is between."""
        asked = self.signing.ask("/nothing")
        response = self.ask(asked, {"accept-encoding": "gzip"})
        self.assertEqual(response.status, 404)
        self.verify(response, asked)

        asked = self.signing.ask("/-/openapi.json")
        response = self.ask(asked, {"accept-encoding": "gzip"})
        self.assertNotIn("content-encoding", dict(response.headers))
        self.verify(response, asked)

    def test_a_head(self) -> None:
        """An answer without its body is signed without it."""
        asked = self.signing.ask("/nothing", "HEAD")
        client = self.composition.connect()
        fields: Any = {name.lower().replace("-", "_"): value for name, value in asked.headers.items()}
        client.asks("/nothing", "HEAD", **fields)
        head = bytes(client.value()).partition(b"\r\n\r\n")[0].decode("latin-1").split("\r\n")[1:]
        headers = [(name.lower(), value.strip()) for name, _, value in (line.partition(":") for line in head)]

        self.verify(Response(404, headers, b"", is_whole=True), asked)

    def test_one_command(self) -> None:
        """A key that runs one command is good for nothing else: not for lists, metrics or runs."""
        auth = self.composition.listener_auth
        self.patch(auth, "log_in", lambda *_: succeed(replace(user("ada"), forced_words=("uptime",))))
        for target in ("/", "/metrics", "/-/runs", "/-/help"):
            response = self.ask(self.signing.ask(target))
            self.assertEqual(response.status, 403, target)
        self.assertEqual(self.ask(self.signing.ask("/uptime")).status, 200)

    def test_a_body(self) -> None:
        """It is covered as it came."""
        asked = self.signing.ask("/uptime", "POST", b"{}")
        response = self.ask(asked)
        self.assertEqual(response.status, 200)
        self.verify(response, asked)

        asked.body = b"[]"
        self.ask(asked)
        self.assertEqual((self.shown[-1].request, self.shown[-1].trouble), (None, "its body is not what was signed"))

    def test_beside_another_login(self) -> None:
        """Who says twice who they are has not said it."""
        for more in (
            {"authorization": "Bearer good"},
            {"authorization": "Basic YWRhOnJpZ2h0"},
            {"cookie": self.log_in()},
        ):
            self.shown.clear()
            self.ask(self.signing.ask(), more)

            (shown,) = self.shown
            self.assertEqual((shown.request, shown.trouble), (None, TWICE))

    def test_beside_a_certificate(self) -> None:
        """Of the client's own."""
        client = self.composition.connect()
        client.protocol.certified = user("ada")
        asked = self.signing.ask()
        fields: Any = {name.lower().replace("-", "_"): value for name, value in asked.headers.items()}
        client.asks(asked.target, **fields)

        (shown,) = self.shown
        self.assertEqual((shown.request, shown.trouble), (None, TWICE))

    def test_beside_a_proxys_word(self) -> None:
        """A proxy that says who somebody is has the last one; what they have signed is not looked at."""
        self.composition.trusted_proxies = TrustedProxies((ip_network(CLIENT.host),))
        self.composition.user_header = b"remote-user"
        self.ask(self.signing.ask(), {"remote-user": "eve"})

        (shown,) = self.shown
        self.assertEqual((shown.request, shown.trouble), (None, TWICE))

    def test_half_of_it(self) -> None:
        """A signature without what it is of, or the other way round, is a login that fails, and not none."""
        for missing in ("Signature", "Signature-Input"):
            self.shown.clear()
            asked = self.signing.ask()
            del asked.headers[missing]

            self.assertEqual(self.ask(asked).status, 401)
            self.assertEqual(self.shown[0].trouble, f"there is no {missing.lower()}")

    def test_of_others(self) -> None:
        """A signature that is not ours says nothing; nor does any where nobody logs in."""
        asked = self.signing.ask(label="proxy", tag="x")
        self.assertNotIn("signature", dict(self.ask(asked).headers))
        self.assertEqual(self.shown, [])

        self.composition = WebComposition(self, command(), login=Login.NEVER)
        self.assertNotIn("signature", dict(self.ask(self.signing.ask()).headers))
        self.assertEqual(self.shown, [])

    def test_refused(self) -> None:
        """With 401 and no reason; the answer is not signed."""
        self.signing.user = "eve"
        response = self.ask(self.signing.ask())

        self.assertEqual(response.status, 401)
        self.assertNotIn(b"signature", response.body)
        self.assertNotIn("signature", dict(response.headers))
