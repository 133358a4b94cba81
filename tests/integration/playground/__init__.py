"""Two homes, a provider, a backbone and a machine room on one machine, and a fleet in them."""
