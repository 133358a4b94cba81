"""The values that a command takes from its caller: declarations, what their types accept, and the template of a run.

Pure: the daemon, the runner process, `cmdserver check` and the pages all ask the same functions. Nothing here knows
Twisted, a file, or who is asking.
"""
