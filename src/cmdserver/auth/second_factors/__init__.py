"""A second factor: one-time codes by time (TOTP, RFC 6238), and recovery codes for who has lost what makes them."""
