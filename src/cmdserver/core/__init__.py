"""Values, error codes and events that every part speaks of; nothing here acts.

May import: checks, parameters.
"""
