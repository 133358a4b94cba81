"""Small inspectors that say in a second whether a service answers: ``cmdserver-probe KIND TARGET``.

A program of its own, for cmdserver's commands, for Nagios and for people. It must not know cmdserver nor Twisted, and
imports what a kind needs only for that kind: a monitoring system starts it many times a minute, so its own start must
cost next to nothing. That is why there are no dataclasses here: to import them takes longer than to probe.
"""
