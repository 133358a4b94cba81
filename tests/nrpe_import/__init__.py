"""Moving from NRPE."""
