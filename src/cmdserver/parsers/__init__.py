"""What commands print, as data: jc's parsers, and what is believed of what they make. Nothing here imports Twisted."""
