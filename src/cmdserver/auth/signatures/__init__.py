"""Requests that their callers sign with SSH keys, and answers that hosts sign: HTTP Message Signatures (RFC 9421).

One profile, and nothing else: what is covered, by which keys, for whom, and for how long.
"""
