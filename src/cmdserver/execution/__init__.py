"""One process from start to end, whoever starts it.

May import: parameters, core, config.
"""
