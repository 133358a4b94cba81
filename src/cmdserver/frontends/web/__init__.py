"""HTTP: pages for people, text for curl, JSON and event streams for programs, from one address a command.

May import: parameters, core, limits, config, auth, dispatch, net, frontends.common.
"""
