"""HTML: the pages, their parts, and the files that they load."""
