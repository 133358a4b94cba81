"""Tests of `cmdserver.auth.second_factors`."""
