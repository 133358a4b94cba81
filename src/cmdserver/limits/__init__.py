"""Every bound on what callers may use: counters, queues and deadlines.

They are pure and take the time as an argument, but for `login_limit` and `source_filter`, which have a clock and a log.

May import: parameters, core.
"""
