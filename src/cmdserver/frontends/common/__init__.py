"""What front ends share: what each is given, the line protocol, the interpreter, logins by prompt, written answers.

May import: core, config, limits, auth, dispatch, net.
"""
