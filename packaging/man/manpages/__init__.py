"""Man pages, made of the command lines' own help and of docs/: nothing is written for them alone.

Knows neither the daemon's inside nor where a package puts the pages.
"""
