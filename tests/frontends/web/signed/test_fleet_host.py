"""What a host tells of itself to its fleet."""

import json

from tests.frontends.web.signed.test_signed_requests import HOST_LINE, JSON
from tests.frontends.web.test_authentication import WebTestCase
from tests.signing import Signing


class FleetHostTests(WebTestCase):
    def test_for_whoever_has_logged_in(self) -> None:
        """What it is called, since when it runs, and the key by which its answers are verified."""
        asked = Signing().ask("/-/fleet")
        fields = {name.lower().replace("-", "_"): value for name, value in asked.headers.items()}
        response = self.composition.ask_for("/-/fleet", **JSON, **fields).response

        said = json.loads(response.body)
        self.assertEqual(
            {key: said[key] for key in ("name", "fleet", "since", "facts", "key")},
            {"name": "localhost", "fleet": "default", "since": "1970-01-01T00:00:00Z", "facts": {}, "key": HOST_LINE},
        )
        self.assertTrue(said["version"])
        self.assertIsInstance(said["roles"], list)

    def test_strangers(self) -> None:
        """They are told nothing."""
        response = self.composition.ask_for("/-/fleet", **JSON).response
        self.assertEqual(response.status, 401)
        self.assertNotIn(b"version", response.body)
