"""Certificates as no library of today makes them: written by hand, octet by octet, and signed all the same."""

import base64
from dataclasses import dataclass, field

from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

#: Tags of ASN.1 (X.680, X.690): strings, of which old authorities have used all.
UTF8, PRINTABLE, TELETEX, UNIVERSAL, BMP, BIT_STRING = 0x0C, 0x13, 0x14, 0x1C, 0x1E, 0x03
_INTEGER, _OCTETS, _SEQUENCE, _SET, _UTC, _GENERALIZED = 0x02, 0x04, 0x30, 0x31, 0x17, 0x18
_ECDSA_WITH_SHA256 = bytes.fromhex("300a06082a8648ce3d040302")
_COMMON_NAME = bytes.fromhex("0603550403")
SUBJECT_ALTERNATIVE_NAME = bytes.fromhex("0603551d11")
_AUTHORITY_KEY = bytes.fromhex("0603551d23")
KEY_USAGE = bytes.fromhex("0603551d0f")


def der(tag: int, body: bytes) -> bytes:
    """Write an element of ASN.1 in DER."""
    length = len(body)
    if length < 0x80:
        return bytes([tag, length]) + body
    octets = length.to_bytes((length.bit_length() + 7) // 8, "big")
    return bytes([tag, 0x80 | len(octets)]) + octets + body


def name(common_name: bytes, kind: int = UTF8) -> bytes:
    """Write a name that is a common name alone."""
    return der(_SEQUENCE, der(_SET, der(_SEQUENCE, _COMMON_NAME + der(kind, common_name))))


def extension(kind: bytes, value: bytes) -> bytes:
    """Write an extension."""
    return der(_SEQUENCE, kind + der(_OCTETS, value))


def alternative(*names: tuple[int, bytes]) -> bytes:
    """Write alternative names, each with its tag (RFC 5280, section 4.2.1.6): 0x82 is a host's."""
    return extension(SUBJECT_ALTERNATIVE_NAME, der(_SEQUENCE, b"".join(der(tag, value) for tag, value in names)))


def by_key(identifier: bytes) -> bytes:
    """Write by which key a certificate is signed (section 4.2.1.1): without it, it is not verified by strict rules."""
    return extension(_AUTHORITY_KEY, der(_SEQUENCE, der(0x80, identifier)))


def short_key(key: ec.EllipticCurvePrivateKey) -> bytes:
    """Write a key of P-256 as SEC 1 has it, but without the leading zero octets of its number; in PEM."""
    number = key.private_numbers().private_value
    point = key.public_key().public_bytes(Encoding.X962, PublicFormat.UncompressedPoint)
    body = der(_INTEGER, b"\1") + der(_OCTETS, number.to_bytes((number.bit_length() + 7) // 8, "big"))
    body += der(0xA0, bytes.fromhex("06082a8648ce3d030107")) + der(0xA1, der(BIT_STRING, b"\0" + point))
    return pem("EC PRIVATE KEY", der(_SEQUENCE, body))


def pem(label: str, content: bytes) -> bytes:
    """Write PEM."""
    return f"-----BEGIN {label}-----\n".encode() + base64.encodebytes(content) + f"-----END {label}-----\n".encode()


@dataclass(frozen=True, kw_only=True)
class Odd:
    """What is in a certificate, as octets; good if nothing is said."""

    serial: bytes = b"\1"
    version: bytes = b"\2"
    subject: bytes = field(default_factory=lambda: name(b"ann"))
    extensions: bytes = b""
    begins: tuple[int, bytes] = (_UTC, b"200101000000Z")
    ends: tuple[int, bytes] = (_GENERALIZED, b"99991231235959Z")
    #: The key as it stands in the certificate; None: as it should.
    public_key: bytes | None = None

    def sign(self, key: ec.EllipticCurvePrivateKey, issuer: bytes, issuer_key: ec.EllipticCurvePrivateKey) -> bytes:
        """Make the certificate.

        Args:
            key: Of its holder.
            issuer: The issuer's subject, in DER.
            issuer_key: The issuer's.

        Returns:
            It, in DER.
        """
        public_key = self.public_key or key.public_key().public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
        content = der(
            _SEQUENCE,
            der(0xA0, der(_INTEGER, self.version))
            + der(_INTEGER, self.serial)
            + _ECDSA_WITH_SHA256
            + issuer
            + der(_SEQUENCE, der(*self.begins) + der(*self.ends))
            + self.subject
            + public_key
            + (der(0xA3, der(_SEQUENCE, self.extensions)) if self.extensions else b""),
        )
        signature = der(BIT_STRING, b"\0" + issuer_key.sign(content, ec.ECDSA(SHA256())))
        return der(_SEQUENCE, content + _ECDSA_WITH_SHA256 + signature)


ANN = (0x82, b"ann")
_EC_KEY = bytes.fromhex("06072a8648ce3d0201")

#: By what is odd: the certificate, and whom it logs in; None: nobody.
ODD: dict[str, tuple[Odd, str | None]] = {
    "nothing": (Odd(), "ann"),
    "negative serial number": (Odd(serial=b"\xff\1"), "ann"),
    "serial number zero": (Odd(serial=b"\0"), "ann"),
    "long serial number": (Odd(serial=b"\1" * 30), "ann"),
    "version that says so": (Odd(version=b"\0"), None),
    "version of tomorrow": (Odd(version=b"\x09"), None),
    "BMPString": (Odd(subject=name("ann".encode("utf-16-be"), BMP)), "ann"),
    "UniversalString": (Odd(subject=name("ann".encode("utf-32-be"), UNIVERSAL)), "ann"),
    "TeletexString in ASCII": (Odd(subject=name(b"ann", TELETEX)), "ann"),
    "TeletexString": (Odd(subject=name(b"M\xfcller", TELETEX)), None),
    "TeletexString, and a name": (Odd(subject=name(b"M\xfcller", TELETEX), extensions=alternative(ANN)), "ann"),
    "PrintableString that is none": (Odd(subject=name(b"ann\xff", PRINTABLE)), None),
    "BIT STRING as a name": (Odd(subject=name(b"\0ann", BIT_STRING)), None),
    "NUL in a name": (Odd(subject=name(b"ann\0x")), None),
    "long name": (Odd(subject=name(b"a" * 3000)), None),
    "empty name": (Odd(subject=name(b"")), None),
    "extension that is there twice": (Odd(extensions=alternative(ANN) * 2), None),
    "alternative names that are none": (Odd(extensions=extension(SUBJECT_ALTERNATIVE_NAME, b"zzz")), None),
    "X.400 address": (Odd(extensions=alternative((0xA3, b""), ANN)), None),
    "EDI party": (Odd(extensions=alternative((0xA5, b""), ANN)), None),
    "host name in Latin-1": (Odd(extensions=alternative((0x82, b"\xfc"), ANN)), None),
    "URI in Latin-1": (Odd(extensions=alternative((0x86, b"\xff"), ANN)), None),
    "address of three octets": (Odd(extensions=alternative((0x87, b"abc"), ANN)), None),
    "no alternative name": (Odd(extensions=alternative()), "ann"),
    "another extension that is none": (Odd(extensions=extension(KEY_USAGE, b"zzz") + alternative(ANN)), None),
    "month of tomorrow": (Odd(begins=(_UTC, b"201301000000Z")), None),
    "time with an offset": (Odd(begins=(_UTC, b"200101000000+0100")), None),
    "year zero": (Odd(begins=(_GENERALIZED, b"00000101000000Z")), None),
}

#: Only in files: whoever has such a key cannot use it.
ODD_KEYS: dict[str, Odd] = {
    "point that is none": Odd(
        public_key=der(
            _SEQUENCE,
            der(_SEQUENCE, _EC_KEY + bytes.fromhex("06082a8648ce3d030107")) + der(BIT_STRING, b"\0\4abc"),
        )
    ),
    "unknown kind": Odd(
        public_key=der(_SEQUENCE, der(_SEQUENCE, bytes.fromhex("06032a0304")) + der(BIT_STRING, b"\0abc"))
    ),
}
