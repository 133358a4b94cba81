"""What the file says of the site."""

from cmdserver.core.site import Site
from tests.config.validation.doubles import ParametersTestCase, configured
from tests.doubles import FakeHost

_COMMAND = '[commands.df]\nrun = ["df"]\n'


class SiteTests(ParametersTestCase):
    def test_without(self) -> None:
        """The host's name is all that is said."""
        self.assertEqual(Site(name=FakeHost().name()), configured(_COMMAND).site)

    def test_all(self) -> None:
        """What the file says is what is shown, and the label has the colour."""
        text = '[site]\nname = "shop1"\nlabel = "production"\ncolour = "red"\nnotice = "Frozen until Monday."\n'
        configuration = configured(f'{text}{_COMMAND}[[listen]]\nprotocol = "ssh"\nendpoint = "tcp:2025"\n')

        expected = Site(name="shop1", label="production", colour="#b3261e", notice="Frozen until Monday.")
        self.assertEqual(expected, configuration.site)
        self.assertEqual((), configuration.warnings)

    def test_lengths(self) -> None:
        """What is as long as there is room for is taken, and nothing longer."""
        for key, most in (("name", 64), ("label", 32), ("notice", 300)):
            self.assertEqual("x" * most, getattr(configured(f'[site]\n{key} = "{"x" * most}"\n{_COMMAND}').site, key))
            self.assert_mistakes(
                [f"2: site.{key}: has {most + 1} characters; at most {most} fit where it is shown"],
                f'[site]\n{key} = "{"x" * (most + 1)}"\n',
            )

    def test_one_line_without_control_characters(self) -> None:
        """A text of the site comes to terminals as it is."""
        for key in ("name", "label", "notice"):
            for text in ("a\\nb", "a\\u001b[2Jb", "a\\u2028b", "\\u0000", "a\\rb"):
                with self.subTest(key, text=text):
                    self.assert_mistakes(
                        [f"2: site.{key}: must be one line, without control characters"],
                        f'[site]\n{key} = "{text}"\n',
                    )

    def test_a_name_is_one(self) -> None:
        """A prompt without a name would be taken for that of any other host."""
        for text in ("", " ", "\\t"):
            with self.assertRaisesRegex(Exception, "site.name"):
                configured(f'[site]\nname = "{text}"\n{_COMMAND}')

    def test_colours(self) -> None:
        """A mistake names what is meant; without a label a colour is nowhere."""
        self.assert_mistakes(
            ["3: site.colour: must be #rrggbb or one of red, orange, green, blue, violet, grey, not 'pink'"],
            '[site]\nlabel = "x"\ncolour = "pink"\n',
        )
        (warning,) = configured(f'[site]\ncolour = "red"\n{_COMMAND}').warnings
        self.assertIn("site.colour: is without effect: there is no label to be coloured", str(warning))
