"""HTTP: pages for people, text for curl, JSON and event streams for programs, from one address a command.

May import: checks, parameters, core, limits, triggers, config, auth, runs, dispatch, logs, net, frontends.common.
"""
