"""Who is asked for a code, and which codes let somebody in."""

from pathlib import Path
from unittest.mock import patch

import pyotp
from twisted.logger import capturedLogs, formatEvent

from cmdserver.auth.authenticator import Authenticator
from cmdserver.auth.credential_formats import Token, token_digest
from cmdserver.auth.credentials import BearerToken, Certificate, CodeRequired, OneTimeCode, Password
from cmdserver.auth.second_factors.enrolments import Enrolment
from cmdserver.auth.second_factors.spent_codes import NAME
from cmdserver.core.errors import Busy, Code, LoginRefused
from cmdserver.core.model import Caller
from cmdserver.limits.wrong_codes import FIRST_SECONDS, FREE
from tests.auth.doubles import HERE, SECRET, IdentityTestCase, password

RECOVERY = "aaaa-bbbb-cccc-dddd"
CERTIFICATE = Certificate(names=("ada",), fingerprint="SHA256:0", source=HERE.source)


class SecondFactorTestCase(IdentityTestCase):
    def setUp(self) -> None:
        super().setUp()
        self.enrol(recovery=[RECOVERY])

    def after_password(self, code: str) -> Caller | Exception:
        """Show the right password, and a code when that is asked for."""
        required = self.log_in(password("ada", b"right"))
        assert isinstance(required, CodeRequired), required
        return self.log_in(OneTimeCode(proof=required.proof, code=code, source=HERE.source))


class CodeTests(SecondFactorTestCase):
    def test_right(self) -> None:
        """The password alone is no login and no refusal; password and code are a login."""
        self.assertIsInstance(self.log_in(password("ada", b"right")), CodeRequired)
        self.assertEqual([], self.written)
        caller = self.after_password(self.code())

        assert isinstance(caller, Caller)
        self.assertEqual(("ada", "password+totp", True), (caller.name, caller.method, caller.has_second_factor))
        self.assertEqual([("ada", "password+totp", Code.OK, None)], self.written)

    def test_wrong_password(self) -> None:
        """Nobody is asked for a code who has not shown the password, and the reason is what it is for others."""
        self.assertIsInstance(self.log_in(password("ada", b"wrong")), LoginRefused)
        self.assertEqual([("ada", "password", Code.DENIED, "wrong password")], self.written)

    def test_codes_that_do_not_count(self) -> None:
        """Wrong, late, early or used: a failed login like any other."""
        self.after_password(self.code())
        for code, reason in (
            ("000000", "wrong code"),
            ("", "wrong code"),
            (self.code(-2), "wrong code"),
            (self.code(2), "wrong code"),
            (self.code(), "code used before"),
        ):
            self.assertIsInstance(self.after_password(code), LoginRefused, code)
            self.assertEqual(("ada", "password+totp", Code.DENIED, reason), self.written[-1])

    def test_one_before_a_used_one(self) -> None:
        """Whoever looks over a shoulder has the code before, too, which counted until then."""
        self.assertIsInstance(self.after_password(self.code()), Caller)
        self.assertIsInstance(self.after_password(self.code(-1)), LoginRefused)
        self.assertIsInstance(self.after_password(self.code(1)), Caller)

    def test_a_clock_that_is_set_back(self) -> None:
        """It brings no code back."""
        code = self.code()
        self.assertIsInstance(self.after_password(code), Caller)
        self.time_of_day -= 30
        self.assertIsInstance(self.after_password(code), LoginRefused)
        self.assertIsInstance(self.after_password(self.code()), LoginRefused)

    def test_recovery(self) -> None:
        """A recovery code counts once, and the log says that few are left."""
        with capturedLogs() as logs:
            caller = self.after_password(RECOVERY.upper())
        assert isinstance(caller, Caller)
        self.assertEqual("password+recovery", caller.method)
        self.assertEqual(["ada has 0 recovery codes left"], [formatEvent(each) for each in logs])
        self.assertIsInstance(self.after_password(RECOVERY), LoginRefused)
        self.assertEqual("recovery code used before", self.written[-1][-1])

    def test_many_wrong_ones(self) -> None:
        """After some in a row the right one does not count either, for a while."""
        for _ in range(FREE):
            self.after_password("000000")
        self.assertIsInstance(self.after_password(self.code()), LoginRefused)
        self.assertIn("too many wrong codes", str(self.written[-1]))
        self.assertIsInstance(self.after_password(RECOVERY), Caller, "which nobody can guess")
        self.now += FIRST_SECONDS
        self.assertIsInstance(self.after_password(self.code()), Caller)

    def test_used_ones_are_not_guessed(self) -> None:
        """A form that is sent twice keeps nobody out."""
        for _ in range(FREE + 1):
            self.after_password(self.code())
        self.assertIsInstance(self.after_password(self.code(1)), Caller)

    def test_a_new_secret(self) -> None:
        """What was tried with the old one does not matter."""
        for _ in range(FREE):
            self.after_password("000000")
        self.enrolments.remove("ada")
        self.enrolments.add(Enrolment(name="ada", secret=SECRET[::-1]))
        code = pyotp.TOTP(SECRET[::-1]).generate_otp(int(self.time_of_day // 30))
        self.assertIsInstance(self.after_password(code), Caller)

    def test_what_cannot_be_written_down(self) -> None:
        """The code does not count, which is nobody's offence, and it can be shown again."""
        (self.files.directory / NAME).mkdir()
        with capturedLogs() as logs:
            self.assertIsInstance(self.after_password(self.code()), Busy)
        self.assertIn(NAME, formatEvent(logs[0]))
        (self.files.directory / NAME).rmdir()
        self.assertIsInstance(self.after_password(self.code()), Caller)

    def test_without_pyotp(self) -> None:
        """Nobody is let in by a code, and the log says what is missing."""
        with patch.dict("sys.modules", {"cmdserver.auth.second_factors.codes": None}), capturedLogs() as logs:
            self.assertIsInstance(self.after_password("123456"), LoginRefused)
        self.assertIn("pip install 'cmdserver[totp]'", "".join(formatEvent(each) for each in logs))

    def test_removed_in_between(self) -> None:
        """A code of what is gone lets nobody in."""
        required = self.log_in(password("ada", b"right"))
        assert isinstance(required, CodeRequired)
        self.enrolments.remove("ada")
        code = OneTimeCode(proof=required.proof, code=self.code(), source=HERE.source)
        self.assertIsInstance(self.log_in(code), LoginRefused)

    def test_left_without_code(self) -> None:
        """Who goes then has failed, and that is written down."""
        required = self.log_in(password("ada", b"right"))
        assert isinstance(required, CodeRequired)
        authenticator: Authenticator = self.authenticator
        authenticator.left_without_code(HERE, required)
        self.assertEqual([("ada", "password", Code.DENIED, "no code was given")], self.written)


class FileTests(SecondFactorTestCase):
    @property
    def path(self) -> Path:
        """Where the file is."""
        return self.files.second_factors_path

    def test_a_line_that_is_not_understood(self) -> None:
        """It does not take the second factor away."""
        self.path.write_text("ada typo\n")
        self.assertIsInstance(self.after_password("000000"), LoginRefused)

    def test_a_file_that_cannot_be_used(self) -> None:
        """Nobody is let in by a password, whoever the file was about."""
        self.files.add_user("bob", self.files.passwords()["ada"])
        self.path.chmod(0o666)
        with capturedLogs() as logs:
            for name in ("ada", "bob"):
                self.assertIsInstance(self.log_in(password(name, b"right")), Busy)
        self.assertIn("chmod go-w", "".join(formatEvent(each) for each in logs))

    def test_removed_users(self) -> None:
        """Who is called so next is somebody else."""
        self.files.remove_user("ada")
        self.assertEqual({}, self.enrolments.enrolments())

    def test_others(self) -> None:
        """Who has none is not asked."""
        self.files.add_user("bob", self.files.passwords()["ada"])
        self.assertIsInstance(self.log_in(password("bob", b"right")), Caller)


class WhoCannotBeAskedTests(SecondFactorTestCase):
    def test_what_cannot_ask(self) -> None:
        """HTTP Basic, and SSH's own method: the right password is refused as a wrong one is, and hashed as often."""
        for secret, reason in ((b"right", "has a second factor, for which"), (b"wrong", "wrong password")):
            for is_repeated in (True, False, True):
                shown = Password(
                    name="ada", password=secret, source=HERE.source, is_repeated=is_repeated, can_ask=False
                )
                self.assertIsInstance(self.log_in(shown), LoginRefused)
                self.assertIn(reason, str(self.written[-1][-1]))
        self.assertEqual(6, len(self.verifier.asked))


class WantedTests(SecondFactorTestCase):
    """Roles with ``second_factor``, for those who come with something else than a password."""

    def test_certificates(self) -> None:
        """They are asked only if a role wants it, something can ask, and there is a second factor."""
        asking = CERTIFICATE.before_code()
        for shown, is_wanted, is_asked in (
            (asking, True, True),
            (asking, False, False),
            (CERTIFICATE, True, False),
            (CERTIFICATE, False, False),
        ):
            self.wanting.clear()
            self.wanting.update({"ada"} if is_wanted else ())
            result = self.log_in(shown)
            self.assertEqual(is_asked, isinstance(result, CodeRequired))
            if isinstance(result, Caller):
                self.assertFalse(result.has_second_factor)
        self.enrolments.remove("ada")
        self.wanting.add("ada")
        self.assertIsInstance(self.log_in(asking), Caller)

    def test_a_certificate_and_a_code(self) -> None:
        """Both together are a login with a second factor."""
        self.wanting.add("ada")
        required = self.log_in(CERTIFICATE.before_code())
        assert isinstance(required, CodeRequired)
        caller = self.log_in(OneTimeCode(proof=required.proof, code=self.code(), source=HERE.source))
        assert isinstance(caller, Caller)
        self.assertEqual(("certificate+totp", True), (caller.method, caller.has_second_factor))

    def test_tokens(self) -> None:
        """They are not asked, and have shown none."""
        self.wanting.add("ada")
        self.files.add_token(Token(name="ada", sha256=token_digest("t")))
        caller = self.log_in(BearerToken(secret="t", source=HERE.source))
        assert isinstance(caller, Caller)
        self.assertFalse(caller.has_second_factor)
