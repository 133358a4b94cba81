"""The doors: each speaks one protocol, knows the interpreter or the dispatcher, and no other door."""
