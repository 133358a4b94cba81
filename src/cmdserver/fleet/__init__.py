"""Many hosts, asked at once over a bus (NATS) that carries and is not trusted.

May import: auth, core, files, logs.
"""
