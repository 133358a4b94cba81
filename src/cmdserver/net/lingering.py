"""How a connection is closed without losing what its client has not read yet."""

from typing import Final

#: Seconds that a client may take to read and close after it was told everything. To close at once while bytes of the
#: client's are unread makes the kernel send a reset, which can overtake the answer (RFC 9112, section 9.6).
LINGER_SECONDS: Final = 2.0
