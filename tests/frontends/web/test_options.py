"""Tests of what the configuration says of the web."""

from unittest import TestCase

from cmdserver.config.loading import configure
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
