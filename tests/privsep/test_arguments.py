"""Tests of what the runner is told on its command line."""

from twisted.trial.unittest import SynchronousTestCase

from cmdserver.privsep.arguments import RunnerArguments


class RunnerArgumentsTests(SynchronousTestCase):
    def test_arguments_come_back(self) -> None:
        """What was spelled is what is read, empty words and odd paths included."""
        for path in ("", "/etc/cmdserver/cmdserver.toml", "/with space/-x", "/ü"):
            arguments = RunnerArguments(family=7, daemon=4711, configuration=path, pid_file=path, state_directory=path)

            self.assertEqual(RunnerArguments.read(arguments.words()), arguments)

    def test_other_words_are_none(self) -> None:
        """Too few, too many, or a word for a number is a ValueError."""
        for words in ([], ["1", "2", "", ""], ["1", "2", "", "", "", ""], ["x", "2", "", "", ""]):
            self.assertRaises(ValueError, RunnerArguments.read, words)
