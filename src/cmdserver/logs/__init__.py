"""The daemon's log: where it goes, how events are written, and lines that are written once a request.

May import: files.
"""
