"""Tests of sockets, TLS and connections."""
