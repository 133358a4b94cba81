"""Puts the parts together; starts, reloads and stops them.

May import: every package above but the front ends of protocols, which are found by their names.
"""
