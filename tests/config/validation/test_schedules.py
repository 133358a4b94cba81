"""The schedules of commands."""

from tests.config.validation.doubles import ParametersTestCase, configured

_X = '[commands.x]\nrun = ["df"]\n'
_FORM = 'a schedule has five fields as in crontab(5), such as "*/15 * * * *"'


class ScheduleTests(ParametersTestCase):
    def test_what_is_read(self) -> None:
        """A line or several, each once; without one a command waits to be asked for."""
        for text, lines in (
            ('schedule = "*/15 * * * *"', ("*/15 * * * *",)),
            ('schedule = ["0  3 * * *", "@daily", "0 3 * * *"]', ("0 3 * * *", "0 0 * * *")),
            ("", ()),
        ):
            self.assertEqual(self.command(_X + text).schedule, lines)

    def test_what_means_no_time(self) -> None:
        """Told with its line in the file."""
        self.assert_mistakes(
            ["3: commands.x.schedule: 0 0 30 2 * has a bad day-of-month, or means no time at all"],
            _X + 'schedule = "0 0 30 2 *"',
        )
        self.assert_mistakes(
            [f"3: commands.x.schedule: 0 * * * * * is no schedule: {_FORM}"], _X + 'schedule = "0 * * * * *"'
        )
        self.assert_mistakes(
            [
                f"3: commands.x.schedule: every is no schedule: {_FORM}",
                "3: commands.x.schedule: 0 25 * * * has a bad hour, or means no time at all",
            ],
            _X + 'schedule = ["@daily", "every", "0 25 * * *"]',
        )
        self.assert_mistakes(
            [f"3: commands.x.schedule: 5/10 is no field of a schedule: {_FORM}"], _X + 'schedule = "5/10 * * * *"'
        )

    def test_what_is_no_line(self) -> None:
        """Nothing, or something else."""
        for text in ('""', "[]", '[""]', "5", "true", "{}"):
            with self.assertRaises(Exception) as raised:
                configured(f"{_X}schedule = {text}")
            self.assertIn("commands.x.schedule", str(raised.exception))

    def test_what_nobody_gives(self) -> None:
        """A parameter takes a default, or may be left out."""
        parameter = '[[commands.x.parameters]]\nname = "a"\ntype = "integer"\n'
        text = '[commands.x]\nrun = ["df", ["{a}"]]\nschedule = "@daily"\n' + parameter

        self.assert_mistakes(
            ["3: commands.x.schedule: nobody is there to give a value for a: it takes a default"], text
        )
        self.assertTrue(self.command(text + "default = 5").schedule)
        self.assertTrue(self.command(text + "required = false").schedule)

    def test_a_schedule_is_no_part_of_what_runs(self) -> None:
        """What waits for a place when it is changed is not turned away."""
        self.assertEqual(self.command(_X), self.command(_X + 'schedule = "@daily"'))


class RoleTests(ParametersTestCase):
    def test_schedules_may_run_what_has_one(self) -> None:
        """By a role of their own, which includes nothing else."""
        text = _X + 'schedule = "@daily"\n[commands.y]\nrun = ["df"]\n'
        (own,) = [role for role in configured(text).roles if "schedule" in role.users]

        self.assertEqual((own.name, own.patterns, own.users), ("schedule", ("x",), frozenset({"schedule"})))
        self.assertEqual([], [role for role in configured(_X).roles if role.users])

    def test_a_role_that_lists_them_is_their_rule(self) -> None:
        """And then the only one; a command that it lacks is said."""
        text = (
            _X + 'schedule = "@daily"\n[roles.{}]\nusers = ["schedule"]\ncommands = ["{}"]\n[commands.y]\nrun = ["df"]'
        )

        for name in ("schedule", "night"):
            found = configured(text.format(name, "x"))
            self.assertEqual([name], [role.name for role in found.roles if "schedule" in role.users])
            self.assertEqual((), found.warnings)
        (warning,) = configured(text.format("night", "y")).warnings
        self.assertIn("commands.x.schedule: is refused: no role that lists schedule includes x", str(warning))

    def test_nobody_else_has_their_role(self) -> None:
        """A role of its name that lists others would give them what schedules may."""
        role = '[roles.schedule]\nusers = ["ann"]\ncommands = ["x"]\n'

        self.assert_mistakes(
            [
                (
                    "4: roles.schedule: is the role that the caller schedule has of its own: list it among the users, "
                    "or choose another name"
                )
            ],
            _X + 'schedule = "@daily"\n' + role,
        )
        self.assertEqual(["ann"], [user for each in configured(_X + role).roles for user in each.users])

    def test_a_role_for_schedules_that_there_are_not(self) -> None:
        """Is without effect."""
        (warning,) = configured(_X + '[roles.night]\nusers = ["schedule"]\ncommands = ["x"]').warnings

        self.assertIn("roles.night.users: no command has a schedule", str(warning))

    def test_a_command_for_schedules_alone_is_in_a_role(self) -> None:
        """In theirs."""
        text = _X.replace("x", "y") + _X + 'schedule = "@daily"\n[roles.a]\nusers = ["ann"]\ncommands = ["y"]\n'
        found = [str(each) for each in configured(text).warnings]

        self.assertEqual([], found)
