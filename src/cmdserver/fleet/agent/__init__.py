"""``cmdserver-agent``: between a fleet's bus and the daemon of one host, with no key but the bus' own.

May import: core, limits, fleet, config, logs, app.
"""
