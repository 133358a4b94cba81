"""The object graph: what a configuration and a reactor are made into, and what a reload replaces in it."""
