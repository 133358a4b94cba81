"""What single values of the configuration cannot show: whether they make sense together, and on this host.

Rule of this package: everything is noted at its place and nothing is raised, so that all of it is told at once. A
mistake keeps the daemon from starting; what is without effect, or depends on who starts the daemon, is a warning.
"""
