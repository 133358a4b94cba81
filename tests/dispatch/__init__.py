"""Tests of requests on their way to an answer."""
