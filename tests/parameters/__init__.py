"""Tests of values: what types accept, how they are bound, and what is run with them."""
