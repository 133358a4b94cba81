"""The web for what comes from a bus: no proxy's word, no path before ours, no address that is open, no other source."""

from typing import Any
from unittest.mock import Mock

from twisted.trial.unittest import SynchronousTestCase

from cmdserver.config.loading import configure
from cmdserver.core.addresses import FLEET, NO_PROXIES, UNIX
from cmdserver.core.listening import Login
from cmdserver.frontends.common.examples import Place, Trial
from cmdserver.frontends.web.options import WebOptions
from cmdserver.frontends.web.resources import Nothing
from cmdserver.frontends.web.signed.front_end import SignedFrontEnd, _options
from tests.doubles import FakeHost
from tests.frontends.doubles import a_context
from tests.frontends.web.doubles import FakeExposition, FakeListenerAuth, WebComposition, a_signer

_FILE = """
[fleet]
server = "nats://127.0.0.1"
host = "web-1"
facts = { site = "berlin" }
[web]
base_path = "/ops"
trusted_proxies = ["unix"]
user_header = "Remote-User"
[[listen]]
protocol = "web"
endpoint = "unix:/run/web"
login = "optional"
"""


class SignedFrontEndTests(SynchronousTestCase):
    def test_options(self) -> None:
        """Those of the file, but for what is said of proxies and paths."""
        configuration = configure(_FILE, FakeHost(), lambda _: None)
        self.assertTrue(WebOptions.of(configuration).trusted_proxies.include(UNIX))

        options = _options(configuration)
        self.assertEqual((options.base_path, options.trusted_proxies), ("", NO_PROXIES))
        self.assertEqual((options.fleet_host.name, options.facts), ("web-1", {"site": "berlin"}))

    def test_what_is_there(self) -> None:
        """Nothing that is told to everybody; commands, runs and what a host tells of itself are."""
        composition = WebComposition(self)
        listener_auth: Any = FakeListenerAuth(Login.REQUIRED, "unix:fleet.sock")
        context = a_context(composition, composition.liveness, lambda: composition.limits)
        exposition: Any = FakeExposition(composition)
        front_end = SignedFrontEnd(listener_auth, context, composition.options, exposition, a_signer)

        for name in ("healthy", "login", "logout", "static"):
            self.assertIsInstance(front_end.site.find(["-", name]), Nothing, name)
        for name in ("fleet", "runs", "events"):
            self.assertNotIsInstance(front_end.site.find(["-", name]), Nothing)
        for path in ("-/fleet", "-/runs", "-/help", "-/openapi.json", "uptime", "metrics", ""):
            leaf = front_end.site.find(path.split("/"))
            self.assertFalse(leaf.is_public or leaf.is_for_strangers, path)
        self.assertEqual(front_end.source_of(Mock()), FLEET)
        self.assertIs(front_end.example(Place("", "", "", "/x", is_proxied=False), Trial("ann", "uptime")), None)
