"""Tests of `cmdserver.frontends.nrpe`."""
