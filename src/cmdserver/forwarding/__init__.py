"""Copies of the audit file's lines, sent to syslog and to systemd's journal while nobody waits for that.

May import: audit, core, files, net.
"""
