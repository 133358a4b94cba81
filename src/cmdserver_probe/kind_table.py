"""The kinds of services that can be asked, for the command line, its help and the document. Data only."""

from collections.abc import Mapping, Sequence

#: Groups of options that several kinds have.
TLS, STARTTLS, LOGIN, SEND, EXPECT, DAYS, DNS, OFFSET = (
    "tls",
    "starttls",
    "login",
    "send",
    "expect",
    "days",
    "dns",
    "offset",
)


#: What most kinds take.
HOST_AND_PORT = "HOST:PORT"


class Kind:
    """A kind of service.

    Attributes:
        summary: What is asked, in a line.
        target: What stands in help for the target.
        port: The port if none is typed; None if one must be.
        tls_port: The same with ``--tls``.
        groups: The groups of options that it has.
        steps: What it measures, in order.
        examples: Command lines and what they are for.
    """

    __slots__ = ("examples", "groups", "port", "steps", "summary", "target", "tls_port")

    def __init__(
        self,
        summary: str,
        *,
        steps: str,
        groups: Sequence[str] = (),
        port: int | None = None,
        tls_port: int | None = None,
        target: str = HOST_AND_PORT,
        examples: Sequence[tuple[str, str]],
    ) -> None:
        self.summary = summary
        self.steps = tuple(steps.split())
        self.groups = frozenset(groups)
        self.port = port
        self.tls_port = tls_port
        self.target = target
        self.examples = examples


KINDS: Mapping[str, Kind] = {
    "tcp": Kind(
        "Whether a port accepts connections, and what it says.",
        steps="resolve connect send answer",
        groups=(SEND,),
        examples=(
            ("tcp db-1.example.org:5432", "whether the database's port is open"),
            (r"tcp localhost:2022 --send 'uptime\n' --expect 'load average'", "send a line, and look for an answer"),
            ("tcp '[2001:db8::1]:22' -6 --warning 0.1 --critical 1", "how long a connection takes"),
        ),
    ),
    "tls": Kind(
        "How long a certificate is still valid, for whom it is, and whether it can be trusted.",
        steps="resolve connect tls",
        groups=(TLS, DAYS),
        port=443,
        examples=(
            ("tls www.example.org", "the certificate of a web server"),
            ("tls ldap.example.org:636 --warning-days 30 --critical-days 10", "warn earlier"),
            (
                "tls 192.0.2.7:8443 --server-name ops.example.org --ca-file /etc/ssl/ops.pem",
                "an authority of one's own",
            ),
        ),
    ),
    "http": Kind(
        "What a web server answers to GET; redirects are not followed, 4xx is WARNING, 5xx is CRITICAL.",
        steps="resolve connect tls answer body",
        groups=(TLS, DAYS, LOGIN, EXPECT),
        target="URL",
        examples=(
            ("http https://www.example.org/", "whether it answers, with a certificate that holds"),
            ('http http://localhost/health --expect \'"status":"up"\'', "look for a text in status or body"),
            ("http https://www.example.org/private --expect 401", "whether it asks for a login"),
        ),
    ),
    "smtp": Kind(
        "Whether a mail server greets, knows EHLO, starts TLS and lets a user in.",
        steps="resolve connect tls greeting ehlo login quit",
        groups=(TLS, STARTTLS, DAYS, LOGIN),
        port=25,
        tls_port=465,
        examples=(
            ("smtp mail.example.org", "whether it greets"),
            ("smtp mail.example.org:587 --starttls --user probe --password-file /etc/probe/password", "log in"),
            ("smtp mail.example.org --tls", "TLS from the first octet, at port 465"),
        ),
    ),
    "pop3": Kind(
        "Whether a mailbox can be reached by POP3: messages and bytes, with a login.",
        steps="resolve connect tls greeting login stat quit",
        groups=(TLS, STARTTLS, DAYS, LOGIN),
        port=110,
        tls_port=995,
        examples=(
            ("pop3 mail.example.org --starttls", "whether it greets and starts TLS"),
            ("pop3 mail.example.org --tls --user probe --password-file /etc/probe/password", "count the messages"),
            ("pop3 localhost --user probe --password-file /etc/probe/password --critical 2", "the same on this host"),
        ),
    ),
    "imap": Kind(
        "Whether a mailbox can be reached by IMAP: the messages in INBOX, with a login.",
        steps="resolve connect tls greeting login examine quit",
        groups=(TLS, STARTTLS, DAYS, LOGIN),
        port=143,
        tls_port=993,
        examples=(
            ("imap mail.example.org --starttls", "whether it greets and starts TLS"),
            ("imap mail.example.org --tls --user probe --password-file /etc/probe/password", "count the messages"),
            ("imap mail.example.org --tls --json", "for a program"),
        ),
    ),
    "ftp": Kind(
        "Whether an FTP server greets, starts TLS and lets a user in.",
        steps="resolve connect tls greeting login quit",
        groups=(TLS, STARTTLS, DAYS, LOGIN),
        port=21,
        tls_port=990,
        examples=(
            ("ftp ftp.example.org", "whether it greets"),
            ("ftp ftp.example.org --starttls --user probe --password-file /etc/probe/password", "log in"),
            ("ftp ftp.example.org:2121 --timeout 5", "another port, and less patience"),
        ),
    ),
    "dns": Kind(
        "What a name server answers; no answer of the type that is asked for is CRITICAL.",
        steps="resolve query",
        groups=(DNS, EXPECT),
        target="NAME",
        examples=(
            ("dns www.example.org", "ask the servers of /etc/resolv.conf"),
            ("dns example.org --server 192.0.2.53 --type MX --expect '10 mail.example.org.'", "one server, one answer"),
            ("dns example.org --server '[2001:db8::53]:5353' --type SOA", "a server at another port"),
        ),
    ),
    "ssh": Kind(
        "Whether an SSH server says which version it speaks (RFC 4253, section 4.2).",
        steps="resolve connect greeting",
        groups=(EXPECT,),
        port=22,
        examples=(
            ("ssh web-1.example.org", "whether it answers"),
            ("ssh web-1.example.org:2222 --expect OpenSSH_9", "whether it is what it should be"),
            ("ssh web-1.example.org -4 --critical 1", "by IPv4, within a second"),
        ),
    ),
    "ntp": Kind(
        "How far a clock is from the time server's, and whether that one is synchronised (RFC 5905).",
        steps="resolve query",
        groups=(OFFSET,),
        port=123,
        examples=(
            ("ntp ntp.example.org", "whether it answers and is synchronised"),
            ("ntp ntp.example.org --warning-offset 0.1 --critical-offset 1", "whether this host's clock is right"),
            ("ntp '[2001:db8::123]:123' --timeout 3", "by IPv6"),
        ),
    ),
    "udp": Kind(
        "Send a datagram, and wait for one that answers.",
        steps="resolve answer",
        groups=(SEND,),
        examples=(
            (r"udp game.example.org:27015 --send '\xff\xff\xff\xffTSource Engine Query\x00'", "any answer"),
            (r"udp localhost:11211 --send '\0\x01\0\0\0\x01\0\0version\r\n' --expect VERSION", "a certain answer"),
            (r"udp '[::1]:7' --send hello --expect hello --warning 0.05", "how long it takes"),
        ),
    ),
}
