"""Who asks a fleet: by which key, whom they know, what they send, and what comes of it.

May import: parameters, core, files, sshtransport, auth, fleet.
"""
