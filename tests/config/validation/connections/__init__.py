"""Tests of listeners, proxies, receivers and the bus."""
