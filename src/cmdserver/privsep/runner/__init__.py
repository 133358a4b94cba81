"""The runner process: what it may run, what it has started, and how it ends what is left of that.

To be read in this order: `allow_list`, `launching` (a process from fork to exec), `control_groups` and `escaped` (how a
process is found that has left its group), `command_process`, `process_table`, `standby`, `serving` (the loop).
"""
