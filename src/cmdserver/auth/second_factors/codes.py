"""One-time codes by time (RFC 6238), as every authenticator app makes them: six digits, SHA-1, thirty seconds.

Imported when a code is to be looked at: pyotp, which makes the codes, is not everybody's.
"""

import hmac
import re
from typing import Final

import pyotp

STEP_SECONDS: Final = 30
#: A clock may be a step off, either way (RFC 6238, section 5.2).
_OFF: Final = (-1, 0, 1)

_CODE = re.compile(r"[0-9]{6}", re.ASCII)


def matching_step(secret: str, code: str, now: float) -> int | None:
    """Say of which time step a code is.

    Args:
        secret: In base32.
        code: As it was typed; spaces in it mean nothing.
        now: Seconds since the epoch.

    Returns:
        The number of a step of thirty seconds, the latest that fits; None if the code is of none that counts now.
    """
    typed = re.sub(r"\s", "", code)
    if not _CODE.fullmatch(typed):
        return None
    totp = pyotp.TOTP(secret)
    steps = [int(now // STEP_SECONDS) + off for off in _OFF]
    # All are compared, whichever fits.
    fits = [step for step in steps if step >= 0 and hmac.compare_digest(totp.generate_otp(step), typed)]
    return max(fits, default=None)


def provisioning_uri(secret: str, name: str, issuer: str) -> str:
    """Return what an authenticator app reads from a QR code (``otpauth://``)."""
    return pyotp.TOTP(secret).provisioning_uri(name=name, issuer_name=issuer)
