"""From granted requests to processes and back: who shares one, who waits, who starts, who is told."""
