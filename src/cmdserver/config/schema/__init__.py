"""The configuration file's keys, their types and ranges, and their defaults, which stand nowhere else.

Shape only: whether an executable exists, or a role names a command that there is, is for `validation` to find out.
"""
