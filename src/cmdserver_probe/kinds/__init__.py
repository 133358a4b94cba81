"""One module a kind of service, imported only when it is asked for; each has ``probe`` and ``FAILURES``.

``probe(run)`` goes through the steps and says what it found. ``FAILURES`` are the errors by which the client library
says that the target does not behave.
"""
