"""Tests of what the configuration says of the web."""

from ipaddress import ip_network
from unittest import TestCase

from cmdserver.config.loading import configure
from cmdserver.core.addresses import NO_PROXIES, TrustedProxies
from cmdserver.frontends.web.options import WebOptions
from tests.doubles import FakeHost

_LISTEN = '[[listen]]\nprotocol = "web"\nendpoint = "tcp:2443"\ntls = true\nlogin = "never"\n'
_TLS = '[tls]\ncertificate = "/a.pem"\nkey = "/a.key"\n'


class OptionsTests(TestCase):
    def test_only_a_certificate_of_the_administrators_is_strict(self) -> None:
        """Browsers cannot be told to insist on one that they do not believe."""
        for tls, is_strict in (("", False), ('[tls]\nminimum_version = "1.3"\n', False), (_TLS, True)):
            configuration = configure(_LISTEN + tls, FakeHost(), lambda _: None)
            self.assertIs(WebOptions.of(configuration).is_strict, is_strict)

    def test_proxies(self) -> None:
        """Nobody is trusted unless that is said; a header's name is bytes, as headers are."""
        options = WebOptions.of(configure(_LISTEN, FakeHost(), lambda _: None))
        self.assertIs(options.trusted_proxies, NO_PROXIES)
        self.assertIsNone(options.user_header)
        web = '[web]\ntrusted_proxies = ["unix", "::1"]\nuser_header = "Remote-User"\n'
        options = WebOptions.of(configure(_LISTEN + web, FakeHost(), lambda _: None))
        self.assertEqual(options.trusted_proxies, TrustedProxies((ip_network("::1"),), has_unix=True))
        self.assertEqual(options.user_header, b"Remote-User")
