"""What the daemon has of the runner: its process, the messages to it, and an `IReactorProcess` that asks it."""
