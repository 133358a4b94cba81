"""What the daemon promises, tried."""
