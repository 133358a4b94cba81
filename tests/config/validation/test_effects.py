"""What is written in a good file and has no effect."""

from tests.config.validation.test_warnings import _DF, _LISTEN, _SSH, WarningsTestCase

_WEB = '[[listen]]\nprotocol = "web"\nendpoint = "tcp:2080:interface=127.0.0.1"\nlogin = "{}"\n'


class EffectTests(WarningsTestCase):
    def test_tables_that_no_listener_reads(self) -> None:
        """TLS without a listener that speaks it, authorities where nobody logs in, the web without one."""
        self.assert_warnings(
            ["9: tls: is without effect: no listener says tls = true"],
            _LISTEN + _DF + "[tls]\nminimum_version = '1.3'\n",
        )
        secure = _LISTEN.replace('"never"', '"never"\ntls = true')
        authorities = "[tls]\nclient_ca = '/ca'\n"
        self.assert_warnings(
            ["11: tls.client_ca: is without effect: no listener with tls = true takes a login"],
            secure + _DF + authorities,
        )
        self.assert_warnings([], secure.replace("never", "optional") + _DF + authorities)
        web = "[web]\nhosts = ['x']\n"
        self.assert_warnings(["9: web: is without effect: no listener speaks it"], _LISTEN + _DF + web)
        self.assert_warnings([], _LISTEN.replace('"line"', '"web"') + _DF + web)

    def test_limits(self) -> None:
        """Each counts at some listeners, and without one of these nowhere."""
        nobody, nothing = "no listener takes a login", "no listener requires a login"
        for key, value, why, having in (
            ("unauthenticated", '"1:2:3"', nothing, _SSH),
            ("unauthenticated", '"1:2:3"', nothing, _WEB.format("required")),
            ("unauthenticated_per_source", "5", nothing, _SSH),
            ("penalty_exempt", '["10.0.0.0/8"]', nobody, _WEB.format("optional")),
            ("login_attempts", "5", "only SSH takes more than one, and no listener speaks it", _SSH),
            ("request_bytes", "1000", "no listener speaks web", _WEB.format("never")),
        ):
            limits = f"[limits]\n{key} = {value}\n"
            self.assert_warnings([f"10: limits.{key}: is without effect: {why}"], _LISTEN + _DF + limits)
            self.assert_warnings([], _LISTEN + having + _DF + limits)
        self.assert_warnings(
            ["10: limits.unauthenticated: is without effect: no listener requires a login"],
            _WEB.format("optional") + _DF + '[limits]\nunauthenticated = "1:2:3"\n',
        )
        limits = "[limits]\nline_bytes = 100\n"
        self.assert_warnings(
            ["10: limits.line_bytes: is without effect: no listener reads lines"], _WEB.format("never") + _DF + limits
        )
        for having in (_LISTEN, _LISTEN + _SSH):
            self.assert_warnings([], having + _DF + limits)

    def test_what_is_for_people(self) -> None:
        """A notice and a question are for those who come by the web and by SSH."""
        notice = '[site]\nnotice = "x"\n'
        confirm = _DF.replace("[roles", 'confirm = "Really?"\n[roles')
        self.assert_warnings(
            [
                "7: commands.df.confirm: is without effect: no listener speaks web or ssh, which ask people",
                "11: site.notice: is without effect: no listener speaks web or ssh, which show it",
            ],
            _LISTEN + confirm + notice,
        )
        for having in (_SSH, _WEB.format("never")):
            self.assert_warnings([], _LISTEN + having + confirm + notice)

    def test_a_question_by_default(self) -> None:
        """It is said once, at its place."""
        commands = _DF.replace("commands = ['df']", "commands = ['d*']") + "[commands.du]\nrun = ['df']\n"
        self.assert_warnings(
            ["12: defaults.confirm: is without effect: no listener speaks web or ssh, which ask people"],
            f'{_LISTEN}{commands}[defaults]\nconfirm = "Really?"\n',
        )

    def test_a_history_of_nothing(self) -> None:
        """It is kept of no command."""
        history = "[history]\nruns = 5\n"
        none = _DF.replace("[roles", 'history = "none"\n[roles')
        self.assert_warnings(
            ['10: history: is without effect: every command says history = "none"'], _LISTEN + none + history
        )
        self.assert_warnings([], _LISTEN + _DF + history)
        self.assert_warnings([], _LISTEN + none)

    def test_whom_nobody_becomes(self) -> None:
        """Without the runner process the daemon starts programs as others, and stays who it is."""
        text = _LISTEN + _DF + "[runner]\ndaemon_user = '70000'\n"
        self.assert_warnings([], text)
        said = "is without effect: without the runner process the daemon stays who starts it"
        self.assert_warnings([f"10: runner.daemon_user: {said}"], text + "process = false\n")

    def test_roles_that_give_nothing(self) -> None:
        """Neither commands nor a look at runs."""
        staff = "[roles.staff]\nusers = ['ann']\n"
        self.assert_warnings(["12: roles.staff: gives nothing: it lists no commands"], _LISTEN + _SSH + _DF + staff)
        for key in ("commands", "sees"):
            self.assert_warnings([], f"{_LISTEN}{_SSH}{_DF}{staff}{key} = ['df']\n")
