"""Files that a privileged process opens and replaces without being led elsewhere, kept waiting or fed without end.

May import: core.
"""
