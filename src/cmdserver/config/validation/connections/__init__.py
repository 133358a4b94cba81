"""Whom this host has to do with: listeners, proxies, receivers of the audit file, the bus of a fleet."""
