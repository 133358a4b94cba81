"""Two processes instead of one, as sshd's are: who touches untrusted bytes cannot start a program, and vice versa.

The *daemon* reads what comes from the network. The *runner* starts programs, and reads nothing but short messages from
the daemon: a command's name, its arguments, an id. It has read the same configuration, so that a daemon that was taken
over can ask for nothing beyond the allow-list. A *standby*, forked by the runner before it does anything, takes its
place when it dies, whatever user the daemon has become by then.

In the order in which to read: `messages` (what is said), `launching` (a process from fork to exec), `tags`,
`control_groups` and `escaped` (how a process is found again that has left its group), `run` and `runs` (what is under
way), `standby` (the standby), `serving` (the runner's loop); then, in the daemon, `remote` (an `IReactorProcess`
that asks the runner) and `privileges`.

Rule of this package: what the runner imports does not import Twisted; it would cost its memory twice.
"""
