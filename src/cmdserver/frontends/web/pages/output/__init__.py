"""What a run says, as HTML: its colours, the card that it is in."""
