"""Tests of files that a privileged process opens."""
