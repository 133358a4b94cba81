"""What is looked at beyond types: commands, listeners, roles, rights and the rest; each has mistakes and warnings."""
