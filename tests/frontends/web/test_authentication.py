"""Tests of who asks, how they say so, and what they must know to change something."""

from typing import Any
from urllib.parse import urlencode

from twisted.trial.unittest import SynchronousTestCase

from cmdserver.auth.credentials import BearerToken, Password
from cmdserver.core.errors import Code
from cmdserver.core.listening import Login
from cmdserver.frontends.web.sessions import IDLE_SECONDS
from cmdserver.limits.source_penalties import Offence
from tests.frontends.web.doubles import HOST, Client, WebComposition
from tests.frontends.web.reading import Read
from tests.running_doubles import command, user

BASIC = "Basic YWRhOnJpZ2h0"  # ada:right
PAGE, JSON = "text/html", "application/json"


class WebTestCase(SynchronousTestCase):
    login = Login.OPTIONAL

    def setUp(self) -> None:
        self.composition = WebComposition(self, command(), command("reboot", read_only=False), login=self.login)

    def status(self, target: str, method: str = "GET", **more: Any) -> int:
        """Say with which status a request is answered at once."""
        return self.composition.ask_for(target, method, **more).response.status

    def token(self, **headers: str) -> str:
        """Find the token in a form that a client is shown."""
        text = self.composition.ask_for("/-/login", accept=PAGE, **headers).response.text
        return text.partition('name="csrf-token" value="')[2].partition('"')[0]

    def submit(self, **fields: str) -> Client:
        """Send the form."""
        form = {"name": "ada", "password": "right", "next": "/uptime", "csrf-token": self.token(), **fields}
        return self.composition.ask_for("/-/login", "POST", body=urlencode(form).encode())

    def log_in(self) -> str:
        """Log in with the form; return the cookie."""
        return self.submit().response["set-cookie"].partition(";")[0]


class CodeTests(WebTestCase):
    """Who has a second factor."""

    def number(self) -> str:
        """Show the password; return what the page of the code is for."""
        text = self.submit(name="eve").response.text
        self.assertIn('autocomplete="one-time-code"', text)
        return text.partition('name="login" value="')[2].partition('"')[0]

    def test_in_two_steps(self) -> None:
        """The password begins no session; the code does, and goes where the login was to go."""
        first = self.submit(name="eve")
        self.assertEqual((200, None), (first.response.status, dict(first.response.headers).get("set-cookie")))
        client = self.submit(name="", password="", login=self.number(), code="123456")
        self.assertEqual((303, "../uptime"), (client.response.status, client.response["location"]))
        cookie = client.response["set-cookie"].partition(";")[0]
        self.assertEqual((401, 403), (self.status("/reboot"), self.status("/reboot", cookie=cookie)))
        self.assertEqual([], self.composition.listener_auth.offences)

    def test_in_one(self) -> None:
        """A program that knows the code sends it with the rest."""
        self.assertEqual(303, self.submit(name="eve", code="123456").response.status)
        self.assertEqual(403, self.submit(name="eve", code="000000").response.status)
        self.assertEqual(303, self.submit(name="ada", code="x").response.status, "who has none is not asked")

    def test_wrong(self) -> None:
        """It is a failed login, and the number is good for nothing more."""
        number = self.number()
        for code in ("000000", "123456"):
            client = self.submit(login=number, code=code)
            self.assertEqual(403, client.response.status)
            self.assertNotIn("set-cookie", dict(client.response.headers))
        self.assertEqual(1, self.composition.listener_auth.offences.count(Offence.AUTHFAIL))

    def test_numbers_that_nobody_was_given(self) -> None:
        """They let nobody in, whatever else is sent."""
        for number in ("x", "0" * 64, "\ud7ff"):
            self.assertEqual(403, self.submit(login=number, code="123456").response.status)

    def test_late(self) -> None:
        """After two minutes it takes the password again; who never came back has failed."""
        number = self.number()
        self.composition.clock.advance(119)
        self.assertEqual([], self.composition.listener_auth.left)
        self.composition.clock.advance(2)
        self.assertEqual(1, len(self.composition.listener_auth.left), "whether or not anybody comes")
        self.assertEqual([Offence.AUTHFAIL], self.composition.listener_auth.offences)
        self.assertEqual(403, self.submit(login=number, code="123456").response.status)
        self.submit(login=self.number(), code="123456")
        self.composition.clock.advance(121)
        self.assertEqual(1, len(self.composition.listener_auth.left), "who has come back in time has not")

    def test_basic_is_refused(self) -> None:
        """It cannot be asked."""
        self.assertEqual(401, self.status("/uptime", authorization="Basic ZXZlOnJpZ2h0"))


class HeaderTests(WebTestCase):
    def test_basic(self) -> None:
        """Name and password are shown to the listener with each request."""
        self.assertEqual(self.status("/", authorization=BASIC), 200)
        self.assertEqual(
            self.composition.listener_auth.logins,
            [Password(name="ada", password=b"right", source="192.0.2.1", is_repeated=True, can_ask=False)],
        )

    def test_bearer(self) -> None:
        """So is a token, in whatever spelling of its scheme."""
        self.assertEqual(self.status("/", authorization="bearer  good"), 200)
        self.assertEqual(self.composition.listener_auth.logins, [BearerToken(secret="good", source="192.0.2.1")])

    def test_wrong_ones(self) -> None:
        """They are refused, whatever they would have been good for, and are held against their source."""
        for wrong in ("Bearer bad", "Basic YWRhOndyb25n"):
            client = self.composition.ask_for("/uptime", authorization=wrong)
            self.assertEqual(client.response.status, 401)
            self.assertIn("Basic", client.response["www-authenticate"])
        self.assertEqual(self.composition.listener_auth.offences, [Offence.AUTHFAIL] * 2)
        self.assertEqual(self.composition.spawner.processes, [])

    def test_what_cannot_be_read(self) -> None:
        """A header of a scheme of ours that is not as it should be says how to log in, and is nobody's offence."""
        for odd in ("Basic", "Basic !", "Basic YWRh", "Basic /zo=", "Bearer", "bearer "):
            client = self.composition.ask_for("/uptime", authorization=odd)
            self.assertEqual(client.response.status, 401, odd)
            self.assertIn("Basic", client.response["www-authenticate"])
        self.assertEqual((self.composition.listener_auth.logins, self.composition.listener_auth.offences), ([], []))
        self.assertEqual(self.composition.outcomes, [Code.DENIED] * 6)
        self.assertEqual(self.composition.spawner.processes, [])

    def test_what_is_for_somebody_else(self) -> None:
        """A header of another scheme, which a proxy before us may pass on, is as if it were not there."""
        cookie = self.log_in()
        self.composition.listener_auth.logins.clear()
        for other in ('Digest username="x"', "Negotiate YII=", "AWS4-HMAC-SHA256 Credential=a", "Token abc", "x", ""):
            self.assertEqual(self.status("/", authorization=other), 200, other)
            self.assertEqual(self.status("/reboot", authorization=other), 401, other)
            self.assertEqual(self.status("/reboot", authorization=other, cookie=cookie), 405, other)
        self.assertEqual((self.composition.listener_auth.logins, self.composition.listener_auth.offences), ([], []))

    def test_too_many_logins(self) -> None:
        """Whoever must wait is told how long."""
        self.composition.listener_auth.is_refused = True
        client = self.composition.ask_for("/uptime", authorization=BASIC)

        self.assertEqual((client.response.status, client.response["retry-after"]), (429, "7"))

    def test_who_does_not_wait_has_tried(self) -> None:
        """To hang up while a password is checked is no way to guess for less."""
        self.composition.listener_auth.waiting = []
        client = self.composition.ask_for("/uptime", authorization=BASIC)
        client.gone()

        self.assertTrue(self.composition.listener_auth.waiting[0].called)
        self.assertEqual(client.responses, [])
        self.assertEqual(self.composition.listener_auth.offences, [Offence.AUTHFAIL])

    def test_a_login_takes_its_time(self) -> None:
        """What was asked is answered when it is known who asks."""
        self.composition.listener_auth.waiting = []
        client = self.composition.ask_for("/", authorization=BASIC)
        self.assertEqual(client.responses, [])
        self.composition.listener_auth.waiting[0].callback(user("ada"))

        self.assertEqual(client.response.status, 200)


class SessionTests(WebTestCase):
    def test_a_session(self) -> None:
        """A browser that has logged in is its user, until it logs out."""
        cookie = self.log_in()
        self.assertEqual(self.status("/reboot", cookie=cookie), 405, "it is known to ada alone")
        self.assertEqual(self.status("/reboot"), 401)
        form = urlencode({"csrf-token": self.token(cookie=cookie)}).encode()
        out = self.composition.ask_for("/-/logout", "POST", body=form, cookie=cookie)

        self.assertEqual(out.response.status, 303)
        self.assertIn("Max-Age=0", out.response["set-cookie"])
        self.assertEqual(self.status("/reboot", cookie=cookie), 401)

    def test_the_frame_of_errors(self) -> None:
        """Whoever is logged in is shown as such on pages of errors that come before anybody is asked who they are."""
        cookie = self.log_in()
        for target, method in (("/%ff", "GET"), ("/", "PUT"), ("/nothing", "GET"), ("/uptime/x", "GET")):
            for session, shown in ((cookie, "Log out"), ("", "Log in")):
                headers = {"cookie": session} if session else {}
                text = self.composition.ask_for(target, method, accept=PAGE, **headers).response.text
                self.assertIn(shown, text, target)
                self.assertNotIn("Log in" if session else "Log out", text, target)

    def test_the_name_is_kept(self) -> None:
        """After a mistake, and the password is in no answer."""
        client = self.submit(password="wr0ng secret")
        fields = {each["name"]: each.get("value") for each in Read(client.response.body).all("input")}

        self.assertEqual((fields["name"], fields["password"], fields["next"]), ("ada", None, "/uptime"))
        self.assertNotIn("wr0ng", client.response.text + str(client.response.headers))

    def test_a_wait(self) -> None:
        """Too many logins are answered by a page that comes again by itself."""
        self.composition.listener_auth.is_refused = True
        form = urlencode({"name": "ada", "password": "right", "csrf-token": self.token()}).encode()
        response = self.composition.ask_for("/-/login", "POST", body=form, accept=PAGE).response

        self.assertEqual((response.status, response["retry-after"]), (429, "7"))
        self.assertEqual(response["refresh"], "7; url=../-/login")
        self.assertIn("0:07", response.text)

    def test_the_cookie_is_for_us_alone(self) -> None:
        """No script sees it, and no other site's page sends it."""
        rules = self.submit().response["set-cookie"].split("; ")

        self.assertEqual(rules[1:], ["Path=/", "HttpOnly", "SameSite=Strict"])

    def cookie_name(
        self, composition: WebComposition, host: str = HOST, *, is_secure: bool = False, path: str = ""
    ) -> str:
        """Say how the cookie is called that a login at a host makes."""
        client = composition.connect()
        client.protocol.is_secure = is_secure
        origin = f"http{'s' if is_secure else ''}://{host}"
        client.asks(f"{path}/-/login", accept=PAGE, host=host)
        token = client.responses[-1].text.partition('name="csrf-token" value="')[2].partition('"')[0]
        body = urlencode({"name": "ada", "password": "right", "csrf-token": token}).encode()
        client.asks(f"{path}/-/login", "POST", body=body, host=host, origin=origin)
        name, _, rest = client.responses[-1]["set-cookie"].partition("=")
        self.assertIn("Path=/;" if is_secure or not path else f"Path={path};", rest)
        self.assertEqual(rest.endswith("; Secure"), is_secure)
        return name

    def test_no_cookie_is_taken_for_another(self) -> None:
        """Listeners under one name have cookies of their own, and so have the ports and paths of each."""
        other = WebComposition(self, command(), place="tcp:2081")
        names = [
            self.cookie_name(self.composition),
            self.cookie_name(self.composition, "cmd.example:2081"),
            self.cookie_name(self.composition, "cmd.example"),
            self.cookie_name(other),
            self.cookie_name(other, "cmd.example"),
        ]
        self.composition.base_path = "/ops"
        names.append(self.cookie_name(self.composition, path="/ops"))

        self.assertEqual(len(set(names)), 6, names)
        self.assertEqual(self.cookie_name(WebComposition(self, command())), names[0], "a restart changes nothing")

    def test_over_tls_the_name_is_a_promise(self) -> None:
        """A cookie with this prefix cannot be set without TLS, nor by another host, nor for a part of this one."""
        self.composition.base_path = "/ops"
        for path in ("", "/ops"):
            self.assertTrue(self.cookie_name(self.composition, is_secure=True, path=path).startswith("__Host-"))
            self.assertFalse(self.cookie_name(self.composition, path=path).startswith("__"))

    def test_a_session_ends_by_itself(self) -> None:
        """Not heard of for too long, it is over."""
        cookie = self.log_in()
        self.composition.clock.advance(IDLE_SECONDS + 1)

        self.assertEqual(self.status("/reboot", cookie=cookie), 401)

    def test_scripts_hear_that_it_has_ended(self) -> None:
        """What is no page is 401, in JSON for programs, though the anonymous may run it: the page is not theirs."""
        cookie = self.log_in()
        self.composition.clock.advance(IDLE_SECONDS + 1)
        for accept in (JSON, "text/event-stream", "*/*"):
            for target, method in (("/uptime", "GET"), ("/uptime", "POST"), ("/", "GET"), ("/-/runs", "GET")):
                response = self.composition.ask_for(target, method, accept=accept, cookie=cookie).response
                self.assertEqual(response.status, 401)
                self.assertIn("your session has ended", response.text)
                self.assertNotIn("set-cookie", response.text)
        response = self.composition.ask_for("/uptime", accept="text/event-stream", cookie=cookie).response
        self.assertEqual(response.json["error"]["code"], "denied")
        self.assertEqual(self.composition.spawner.processes, [])
        self.assertEqual(self.status("/-/healthy", cookie=cookie), 200)

    def test_who_looks_at_a_page_is_nobody_again(self) -> None:
        """The browser is to forget the session, so that the scripts of that page are the anonymous', too."""
        for target in ("/", "/-/login"):
            cookie = self.log_in()
            self.composition.clock.advance(IDLE_SECONDS + 1)
            response = self.composition.ask_for(target, accept=PAGE, cookie=cookie).response
            self.assertEqual(response.status, 200)
            self.assertTrue(response["set-cookie"].startswith(cookie.partition("=")[0] + "=;"))
            self.assertIn("Max-Age=0", response["set-cookie"])
        self.assertEqual(self.composition.ask_for("/", accept=PAGE).response["set-cookie"], "")
        fresh = self.log_in()
        self.assertEqual(self.composition.ask_for("/", accept=PAGE, cookie=fresh).response["set-cookie"], "")

    def test_the_way_back_in(self) -> None:
        """Nobody has to forget a session by themselves to log in again, with a browser or without."""
        cookie = self.log_in()
        self.composition.clock.advance(IDLE_SECONDS + 1)
        for accept in (PAGE, "*/*"):
            form = {"name": "ada", "password": "right", "csrf-token": self.token(cookie=cookie)}
            made = self.composition.ask_for(
                "/-/login", "POST", body=urlencode(form).encode(), cookie=cookie, accept=accept
            )
            self.assertEqual(made.response.status, 303)
            self.assertNotIn("Max-Age=0", made.response["set-cookie"])

    def test_a_number_is_not_kept(self) -> None:
        """A login ends the session that a browser brings along, whoever has put it there (session fixation)."""
        before = self.log_in()
        form = {"name": "ada", "password": "right", "csrf-token": self.token(cookie=before)}
        after = self.composition.ask_for("/-/login", "POST", body=urlencode(form).encode(), cookie=before)

        cookie = after.response["set-cookie"].partition(";")[0]
        self.assertNotEqual(cookie, before)
        self.assertEqual([self.status("/reboot", cookie=each) for each in (before, cookie)], [401, 405])

    def test_a_wrong_password(self) -> None:
        """The form is shown again, says no more than that, and there is no session."""
        client = self.submit(password="wrong", name="<b>")

        self.assertEqual((client.response.status, client.response["set-cookie"]), (403, ""))
        self.assertIn("Name or password is wrong.", client.response.text)
        self.assertEqual(client.response.text.count("<b>"), 1, "the one of the header")
        self.assertIn('value="&lt;b&gt;"', client.response.text)
        self.assertEqual(self.composition.listener_auth.offences, [Offence.AUTHFAIL])

    def test_it_leads_back(self) -> None:
        """After a login one is where one wanted to be, and never on another server."""
        self.assertEqual(self.submit().response["location"], "../uptime")
        self.assertEqual(self.submit(next="//evil.example").response["location"], "../")
        self.assertEqual(self.submit(next="/http:evil").response["location"], "../http:evil")

    def test_the_caller_is_where_it_is(self) -> None:
        """What is written down is where a request came from, not where its session began."""
        cookie = self.log_in()
        self.composition.ask_for("/uptime", cookie=cookie)
        self.composition.process.ends()

        caller = self.composition.ledger.requests[-1].caller
        self.assertEqual((caller.name, caller.source), ("ada", "192.0.2.1"))


class MeantTests(WebTestCase):
    def test_a_script_needs_no_token(self) -> None:
        """What bears no trace of a browser, and proves who it is, is meant."""
        client = self.composition.ask_for("/reboot", "POST", body=b"", authorization=BASIC)
        self.composition.process.ends()

        self.assertEqual(client.response.status, 200)

    def test_a_session_needs_its_own(self) -> None:
        """A session's token, in a form or a header; nobody else's, and not none."""
        cookie = self.log_in()
        own, strangers = self.token(cookie=cookie), self.token()
        for body, headers in (
            (b"", {}),
            (f"csrf-token={strangers}".encode(), {}),
            (b"", {"x_cmdserver_token": strangers}),
        ):
            self.assertEqual(self.status("/reboot", "POST", body=body, cookie=cookie, **headers), 403)
        self.assertEqual(self.composition.spawner.processes, [])

        for body, headers in ((f"csrf-token={own}".encode(), {}), (b"", {"x_cmdserver_token": own})):
            client = self.composition.ask_for("/reboot", "POST", body=body, cookie=cookie, **headers)
            self.composition.process.ends()
            self.assertEqual(client.response.status, 200)

    def test_another_sites_page_may_not(self) -> None:
        """Even one that knows the token."""
        body = f"csrf-token={self.token()}".encode()
        for headers in ({"origin": "http://evil.example"}, {"origin": "null"}, {"sec_fetch_site": "cross-site"}):
            self.assertEqual(self.status("/uptime", "POST", body=body, **headers), 403)
            self.assertEqual(self.status("/-/login", "POST", body=body, **headers), 403)
        self.assertEqual(self.composition.spawner.processes, [])

    def test_another_sites_page_may_not_look(self) -> None:
        """Nor may a part of it, by GET: with what its browser adds by itself it would ask in somebody's name."""
        picture = {"sec_fetch_mode": "no-cors", "sec_fetch_dest": "image", "accept": "image/avif,*/*;q=0.8"}
        frame = {"sec_fetch_mode": "navigate", "sec_fetch_dest": "iframe", "accept": PAGE}
        script = {"sec_fetch_mode": "cors", "sec_fetch_dest": "empty", "accept": PAGE}
        for site in ("cross-site", "same-site"):
            for part in (picture, frame, script):
                for target in ("/uptime", "/", "/metrics", "/-/openapi.json", "/-/login", "/-/nothing"):
                    client = self.composition.ask_for(target, authorization=BASIC, sec_fetch_site=site, **part)
                    self.assertEqual(client.response.status, 403, (site, part, target))
        for said in ({"referer": "http://evil.example/"}, {"origin": "http://evil.example", "accept": PAGE}):
            self.assertEqual(self.status("/uptime", authorization=BASIC, **said), 403 if "accept" not in said else 200)
        self.assertEqual(self.composition.spawner.processes, [])

    def test_no_login_is_tried_for_another_sites_page(self) -> None:
        """It cannot have passwords tried from where somebody else is."""
        for method, mode in (("GET", "no-cors"), ("POST", "no-cors"), ("POST", "navigate")):
            said = {"sec_fetch_site": "cross-site", "sec_fetch_mode": mode, "authorization": "Bearer bad"}
            body = b"" if method == "POST" else None
            client = self.composition.ask_for("/uptime", method, body=body, accept=PAGE, **said)
            self.assertEqual(client.response.status, 403, (method, mode))

        self.assertEqual((self.composition.listener_auth.logins, self.composition.listener_auth.offences), ([], []))
        self.assertEqual([event.caller.name for event in self.composition.ledger.requests], [None] * 3)

    def test_who_is_led_here_is_asked_for_a_click(self) -> None:
        """A link on another site shows a page of ours, and runs nothing until somebody wants it to."""
        seen = {"sec_fetch_mode": "navigate", "sec_fetch_dest": "document", "accept": PAGE, "authorization": BASIC}
        for led in (
            {"sec_fetch_site": "cross-site", **seen},
            {"sec_fetch_site": "same-site", **seen},
            {"referer": "http://wiki.example/", "accept": PAGE, "authorization": BASIC},
        ):
            client = self.composition.ask_for("/uptime", **led)
            self.assertEqual(client.response.status, 200)
            self.assertIn("Another site has led you here", client.response.text)
            self.assertEqual(self.composition.ask_for("/uptime/a%20b?c=d", **led).response.status, 422)
        self.assertEqual(self.composition.spawner.processes, [])
        self.assertEqual(self.status("/-/login", **led), 200)

        for own in ("none", "same-origin"):
            self.composition.ask_for("/uptime", sec_fetch_site=own, **seen)
        self.composition.ask_for("/uptime", referer=f"http://{HOST}/", accept=PAGE)
        self.assertEqual(len(self.composition.spawner.processes), 3)

    def test_our_own_page_may(self) -> None:
        """One that knows the token of whoever looks at it."""
        body = f"csrf-token={self.token()}".encode()
        client = self.composition.ask_for(
            "/uptime", "POST", body=body, origin=f"http://{HOST}", sec_fetch_site="same-origin"
        )
        self.composition.process.ends()

        self.assertEqual(client.response.status, 200)

    def test_tokens_are_no_arguments(self) -> None:
        """Whatever else a form has is one."""
        self.assertEqual(self.status("/uptime", "POST", body=b"path=/home"), 422)
        self.assertEqual(self.status("/uptime?path=/home"), 422)
        self.assertEqual(self.status("/uptime/home"), 422)


class RequiredTests(WebTestCase):
    login = Login.REQUIRED

    def test_nothing_before_the_login(self) -> None:
        """Whatever is asked, there or not, the answer is the same; people are led to the form."""
        for target in ("/", "/uptime", "/nothing", "/metrics", "/-/openapi.json"):
            self.assertEqual(self.status(target), 401, target)
        client = self.composition.ask_for("/uptime?a=/b", accept=PAGE)
        self.assertEqual(client.response["location"], "./-/login?next=/uptime%3Fa%3D/b")
        self.assertEqual([self.status(each) for each in ("/-/login", "/-/healthy")], [200, 200])
        self.assertEqual(self.status("/", authorization=BASIC), 200)


class NeverTests(WebTestCase):
    login = Login.NEVER

    def test_nobody_is_asked(self) -> None:
        """A listener without a login is one for strangers, whatever they say of themselves."""
        self.assertEqual(self.status("/", authorization="Bearer bad"), 200)
        self.assertEqual(self.status("/reboot"), 404, "there is nothing that a login would change")
        self.assertEqual(self.composition.ask_for("/-/login", "POST", body=b"").response["location"], "../")
        self.assertEqual(self.composition.listener_auth.logins, [])
