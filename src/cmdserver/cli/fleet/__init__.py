"""``cmdserver ask`` and ``cmdserver hosts``: for people who ask a fleet, from wherever they reach its bus."""
