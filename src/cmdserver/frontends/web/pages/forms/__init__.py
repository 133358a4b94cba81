"""Forms of commands, what is beside them, and the questions before a run."""
