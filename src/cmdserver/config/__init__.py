"""From the text of the file to one checked, frozen configuration, and what is known of the host it is for.

May import: audit, checks, parameters, core, files, fleet, limits, triggers.
"""
