"""What asks for runs without a person: schedules, and the hooks of programs elsewhere.

Here is when a schedule's times come, whether a hook's request is its sender's, and what the configuration takes out of
it. `schedules`, which waits and asks, stands above the others. Who may run what is the policy's business, as for
everybody.
May import: core, files.
"""
