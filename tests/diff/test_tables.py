"""What is no power, and tables that there is one of."""

from cmdserver.diff.comparing import reload_lines
from cmdserver.diff.tables import compare_texts
from tests.diff.doubles import FILE, LISTEN, configuration, differences


def test_tables() -> None:
    """Each key that differs; the site's are for people."""
    found = differences(FILE, FILE + '[limits]\nqueued = 5\n[audit]\nfile = "a"\n[site]\nnotice = "x"\n')
    assert found == ["~ limits: queued: 5, before 1000", '~ audit: file: "a", before "audit.jsonl"']
    assert differences(FILE, 'state_dir = "/srv"\n' + FILE) == ['~ state_dir: "/srv", before unset']


def test_who_is_let_in() -> None:
    """More names of a host, and certificates of more people."""
    web = '[[listen]]\nprotocol = "web"\nendpoint = "tcp:2080:interface=127.0.0.1"\n'
    assert differences(FILE + web, FILE + web + '[web]\nhosts = ["a"]\n') == ['+ web: hosts: ["a"], before []']
    tls = '[tls]\nclient_ca = "/ca"\n'
    assert differences(FILE, FILE + tls) == ['+ tls: client_ca: "/ca", before unset']
    assert differences(FILE + tls, FILE) == ['- tls: client_ca: unset, before "/ca"']
    fleet = '[fleet]\nserver = "tls://bus"\n'
    assert differences(FILE, FILE + fleet)[-1:] == ['+ fleet: server: "tls://bus", before unset']
    assert differences(FILE + fleet, FILE)[-1:] == ['- fleet: server: unset, before "tls://bus"']


def test_texts() -> None:
    """The log of a reload says which keys are different, and no values."""
    old, new = (
        configuration(each)
        for each in (
            FILE,
            FILE.replace(LISTEN, f'{LISTEN}greeting = "hunter2"\n').replace(
                'run = ["df"]', 'run = ["df"]\nhelp = "hunter2"'
            )
            + '[site]\nlabel = "hunter2"\n',
        )
    )
    expected = [
        "site.label changed",
        "listener tcp:2022:interface=127.0.0.1: greeting changed",
        "command df: help changed",
    ]
    assert compare_texts(old, new) == expected
    assert reload_lines(old, new) == expected


def test_roles_without_effect() -> None:
    """They are told only where nobody's power changes."""
    old, new = (configuration(each) for each in (FILE, FILE.replace('["df", "up"]', '["*"]')))
    assert reload_lines(old, new) == ["role staff: commands changed"]
    new = configuration(FILE.replace('["df", "up"]', '["up"]'))
    assert reload_lines(old, new) == ["- ann (role staff): may no longer run df"]
