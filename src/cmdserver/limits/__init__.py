"""Every bound on what callers may use: counters, queues and deadlines. Pure; the time is an argument.

May import: parameters, core.
"""
