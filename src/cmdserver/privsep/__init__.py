"""Privilege separation, as sshd does it: the process that reads untrusted bytes cannot start a program, and vice versa.

The *daemon* reads what comes from the network. The *runner* starts programs, and reads nothing but short messages from
the daemon: a command's name, canonical values, an id. It has read the same configuration and looks at the values again,
so a daemon that was taken over can ask for nothing beyond the allow-list. A *standby*, forked by the runner before it
does anything, takes its place when it dies, whatever user the daemon has become by then.

Here is what both processes speak of; `daemon` and `runner` have the rest. Rule: neither of the two imports the other,
and nothing that the runner imports imports Twisted, which would double the memory of all this.
"""
