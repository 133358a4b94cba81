"""The runner process: what may be run, what is under way, and the standby that takes over. Imports no Twisted."""
