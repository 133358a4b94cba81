"""The front end of line listeners: one request a line, over TCP, TLS or a UNIX socket.

May import: core, limits, auth, dispatch, net, frontends.common.
"""
