"""Puts the parts together, starts, reloads and stops them; the command line.

May import: everything but the front ends, which are found by their names.
"""
