"""Whose word counts for whom a request is from."""

from ipaddress import ip_network

from cmdserver.config.decoding import Mistakes
from cmdserver.config.loading import configure
from cmdserver.core.addresses import NO_PROXIES, TrustedProxies
from tests.config.validation.test_warnings import _DF, WarningsTestCase
from tests.doubles import FakeHost

_WEB = '[[listen]]\nprotocol = "web"\nendpoint = "{}"\nlogin = "{}"\n'
_LOCAL = _WEB.format("tcp:2080:interface=127.0.0.1", "optional")


def _web(trusted: str = '["127.0.0.1"]', header: str | None = None) -> str:
    """Say ``[web]``, on three lines."""
    return f"[web]\ntrusted_proxies = {trusted}\n" + (f'user_header = "{header}"\n' if header is not None else "")


class MistakeTests(WarningsTestCase):
    def mistakes(self, web: str) -> list[str]:
        """List what is wrong, without the line of the last key, which comes last."""
        with self.assertRaises(Mistakes) as raised:
            configure(_LOCAL + _DF + web, FakeHost(), lambda _: None)
        return [str(each) for each in raised.exception.mistakes]

    def test_who_is_trusted(self) -> None:
        """Networks, addresses, and the word for UNIX sockets."""
        for text, trusted in (
            ("[]", NO_PROXIES),
            ('["unix"]', TrustedProxies((), has_unix=True)),
            ('["10.0.0.0/8", "::1"]', TrustedProxies((ip_network("10.0.0.0/8"), ip_network("::1")))),
        ):
            self.assertEqual(configure(_LOCAL + _DF + _web(text), FakeHost(), lambda _: None).trusted_proxies, trusted)
        for text, complaint in (
            ('["proxy"]', "names are not looked up here; write addresses"),
            ('["10.0.0.1/8"]', 'write "10.0.0.0/8"'),
            ('["::ffff:10.0.0.1"]', 'write "10.0.0.1"'),
            ('["unix:/run/x"]', 'unix:/run/x is no address; "unix" is whoever calls by a UNIX socket'),
        ):
            (mistake,) = self.mistakes(_web(text))
            self.assertIn("10: web.trusted_proxies[0]: ", mistake)
            self.assertIn(complaint, mistake)

    def test_the_header(self) -> None:
        """It is a header's name, and none with a meaning of its own."""
        for name in (
            "Remote-User",
            "X-Forwarded-User",
            "X-Forwarded-Email",
            "X-Auth-Request-User",
            "Tailscale-User-Login",
        ):
            configure(_LOCAL + _DF + _web(header=name), FakeHost(), lambda _: None)
        for name in (
            *("Host", "host", "Cookie", "Authorization", "X-Forwarded-For", "Forwarded", "X-Real-IP", "Content-Type"),
            *("Proxy-Authorization", "Sec-Fetch-Site", "Origin", "X-Cmdserver-Token", "X-Hub-Signature-256", "TE"),
        ):
            (mistake,) = self.mistakes(_web(header=name))
            self.assertIn(f"11: web.user_header: {name} has a meaning of its own", mistake)
        for name in ("Remote_User", "a b", "Remote-User:", "é", "-x"):
            (mistake,) = self.mistakes(_web(header=name))
            self.assertIn("is no header's name", mistake)

    def test_without_a_proxy(self) -> None:
        """It would be believed from nobody, and whoever writes it does not mean that."""
        (mistake,) = self.mistakes(_web("[]", "Remote-User"))
        self.assertIn("11: web.user_header: is believed from trusted_proxies alone, and they are missing", mistake)


class WarningTests(WarningsTestCase):
    def test_nothing(self) -> None:
        """Only the proxy can call."""
        self.assert_warnings([], _LOCAL + _DF + _web(header="Remote-User"))
        socket = _WEB.format("unix:/run/cmdserver/web", "required")
        self.assert_warnings([], socket + _LOCAL + _DF + _web('["unix"]', "Remote-User"))
        handed_over = _WEB.format("systemd:name=web", "optional") + "allow_plaintext_passwords = true\n"
        self.assert_warnings([], handed_over + _DF + _web('["unix"]', "Remote-User"))

    def test_everybody(self) -> None:
        """Is a network, too."""
        for network in ("0.0.0.0/0", "::/0"):
            self.assert_warnings(
                [f"10: web.trusted_proxies: {network} is everybody, and so everybody may say who they are"],
                _LOCAL + _DF + _web(f'["{network}"]'),
            )

    def test_without_effect(self) -> None:
        """No UNIX socket; nobody is asked who they are; no web at all."""
        self.assert_warnings(
            ['10: web.trusted_proxies: "unix" is without effect: no web listener has a UNIX socket'],
            _LOCAL + _DF + _web('["unix"]'),
        )
        never = _WEB.format("tcp:2080", "never")
        self.assert_warnings(
            ['11: web.user_header: is without effect: every web listener says login = "never"'],
            never + _DF + _web(header="Remote-User"),
        )
        line = _LOCAL.replace('"web"', '"line"')
        self.assert_warnings(
            ["9: web: is without effect: no listener speaks it"], line + _DF + _web('["0.0.0.0/0", "unix"]')
        )

    def test_who_can_go_round_the_proxy(self) -> None:
        """Other hosts, where that is not said otherwise."""
        plain = "allow_plaintext_passwords = true\n"
        everywhere = _WEB.format("tcp:2080", "optional") + plain
        text = "web.user_header: tcp:2080 is open to others than trusted_proxies, whom no proxy asks who they are"
        advice = "say from = […] there, or listen on 127.0.0.1 or a UNIX socket"
        header = _web('["10.0.0.0/24"]', "Remote-User")
        self.assert_warnings([f"12: {text}: {advice}"], everywhere + _DF + header)
        self.assert_warnings([], everywhere + 'from = ["10.0.0.1"]\n' + _DF + header)
        for networks in ('["10.0.0.0/8"]', '["10.0.0.1", "::1"]'):
            self.assert_warnings([f"13: {text}: {advice}"], everywhere + f"from = {networks}\n" + _DF + header)
        self.assert_warnings([], everywhere + _DF + _web('["10.0.0.0/24"]'))
