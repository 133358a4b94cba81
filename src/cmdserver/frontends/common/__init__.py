"""What front ends share: accepting connections, the line protocol and its interpreter, logins by prompt, answers.

May import: checks, parameters, core, limits, config, auth, runs, dispatch, net.
"""
