"""The parsing process: makes data of what commands print, which may be anybody's, apart from everything else.

The daemon starts it before it gives up what that takes, and only where a command has a parser. It is nobody but the
daemon's user. Each output is parsed by a child of its own, which may neither start a program nor speak to the network,
has little memory, and is ended when the daemon has waited for too long. Rule: no Twisted.
"""
