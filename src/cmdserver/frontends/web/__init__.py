"""HTTP: pages for people, text for curl, JSON and event streams for programs, from one address a command."""
