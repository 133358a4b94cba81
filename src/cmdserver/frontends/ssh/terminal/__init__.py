"""A terminal: keys, a line editor, a screen. Nothing here knows SSH."""
