"""Tests of errors in words."""

import errno
import poplib
import smtplib
import socket
import ssl

from twisted.trial.unittest import SynchronousTestCase

from cmdserver_probe.errors import describe


def _ssl_error(reason: str) -> ssl.SSLError:
    error = ssl.SSLError(1, f"[SSL: {reason}] (_ssl.c:1006)")
    error.reason = reason
    return error


class DescribeTests(SynchronousTestCase):
    def test_all(self) -> None:
        """Each is what a person would say, without Python's names."""
        refused = ssl.SSLCertVerificationError(1, "failed")
        refused.verify_message = "certificate has expired"
        errors: dict[str, Exception] = {
            "connection refused": ConnectionRefusedError(errno.ECONNREFUSED, "Connection refused"),
            "name or service not known": socket.gaierror(socket.EAI_NONAME, "Name or service not known"),
            "no answer in time": TimeoutError("timed out"),
            "the certificate is refused: certificate has expired": refused,
            "the target does not speak TLS (wrong version number)": _ssl_error("WRONG_VERSION_NUMBER"),
            "the target closed the connection": _ssl_error("UNEXPECTED_EOF_WHILE_READING"),
            "tlsv1 alert protocol version": _ssl_error("TLSV1_ALERT_PROTOCOL_VERSION"),
            "the target says: -ERR no": poplib.error_proto(b"-ERR no"),
            "the target says: 535 no": smtplib.SMTPAuthenticationError(535, b"no"),
            "connection unexpectedly closed": smtplib.SMTPServerDisconnected("Connection unexpectedly closed"),
            "-ERR EOF": poplib.error_proto("-ERR EOF"),
            "the target's answer makes no sense (IndexError)": IndexError("secret"),
            "OSError": OSError(),
        }
        self.assertEqual({text: describe(error) for text, error in errors.items()}, {text: text for text in errors})
        self.assertEqual(describe(EOFError()), "the target closed the connection")
