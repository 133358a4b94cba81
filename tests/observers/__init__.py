"""Tests of the audit file and the metrics."""
