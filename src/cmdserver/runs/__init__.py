"""What a run is to those who look at it: what is known of it, what it has said, and which runs somebody asks for.

May import: checks, core.
"""
