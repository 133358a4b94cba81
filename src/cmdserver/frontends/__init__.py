"""One package for each protocol, which speaks it and asks the dispatcher; none knows another."""
