"""What programs log: where it goes, how it is written, and what systemd is told.

May import: core, files.
"""
