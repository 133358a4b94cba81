"""What monitoring asks over HTTP: whether we answer, metrics, and probes of commands."""
