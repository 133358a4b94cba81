"""An SSH server transport for Twisted Conch with today's cryptography, as good as OpenSSH's.

Conch's own has neither authenticated ciphers nor encrypt-then-MAC, nor strict key exchange; it never starts a key
exchange itself, and raises whatever a message makes its parsers raise. Services (authentication, channels) run over
this one as they do over Conch's. To use it::

    class Transport(cmdserver.sshtransport.transport.ServerTransport):
        ourVersionString = b"SSH-2.0-Example"

    factory = SSHFactory()
    factory.protocol = Transport

What there is to set or to override on `cmdserver.sshtransport.transport.ServerTransport`:

* ``ourVersionString``: the first line, which is all that strangers learn of the software.
* ``rekeyLimits``: a `cmdserver.sshtransport.rekeying.RekeyLimits`: bytes, packets and seconds.
* ``maxPacketLength``, in bytes, and ``maxHeldBytes``, what may wait for a key exchange.
* ``supportedKeyExchanges``, ``supportedCiphers``, ``supportedMACs``: fewer than all, or in another order.
* ``outputHeld()`` and ``outputReleased()``: when those who produce output should stop, and can go on; ``isOutputHeld``
  says it at any time. The reasons are a key exchange, and a peer that does not take what there is. The transport below
  has its one producer: do not register another.
* ``parserErrors``: what services raise at messages that make no sense: what Conch's do. Services that raise nothing but
  `cmdserver.sshtransport.encoding.Malformed` set it to ``()``, so that their mistakes are seen to be some.
* ``seconds()``, ``random(size)``, ``ephemeral()``: time and randomness, for tests.

What it expects of others:

* The connection below ends if the peer is silent for too long, or does not take its last words: there are no timers
  here. Key exchanges by time are started with the next packet.
* Authentication sets ``avatar`` and ``logoutFunction``, as Conch's does. Until then no second key exchange is taken.
* Channels split what they send by the peer's maximum packet size, and do not believe one above 32 KiB.
* User keys are checked to be used with an algorithm of `cmdserver.sshtransport.algorithms.USER_KEYS`, which is what
  clients are told; signatures of security keys by `cmdserver.sshtransport.sk_keys.verify`.

To be read in this order: `encoding`, `packets`, `algorithms`, `negotiation`, `key_exchange`, `protections`, `strict`,
`rekeying`, all of which know no connection; then `dispatching`, `framing`, `protected`, `transport`.
"""
