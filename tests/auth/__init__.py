"""Tests of credentials and logins."""
