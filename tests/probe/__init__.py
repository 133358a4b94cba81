"""Tests of `cmdserver_probe`, a program of its own."""
