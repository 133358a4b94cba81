"""What is in an audit file: its lines, the chain that they form, and what is looked for in them.

May import: core.
"""
