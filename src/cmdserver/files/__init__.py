"""Files that a privileged process opens without being led elsewhere, kept waiting or fed without end."""
