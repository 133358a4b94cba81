"""Sockets, TLS and the life of a connection, whatever it speaks.

May import: core, files, limits.
"""
