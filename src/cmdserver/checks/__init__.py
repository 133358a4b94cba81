"""What a monitoring system is told of a run: states, ranges, performance data, and rules on what a parser has made.

Pure: nothing here runs, waits or knows a protocol.
"""
