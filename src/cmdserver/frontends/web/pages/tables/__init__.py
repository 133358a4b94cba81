"""Data of commands as people read them: which columns there are, in which units, and the tables that a page shows.

`drawing` has what pages call. Everything here is pure, and no text is escaped before it is drawn.
"""
