"""Who is calling: credentials, their checkers, the portal that makes callers, and the files of users, keys and tokens.

May import: core, files, limits, triggers, sshtransport.
"""
