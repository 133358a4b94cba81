"""One process from start to end, whoever starts it.

May import: core, config, parameters.
"""
