"""One allow-list of host commands, offered by several listeners; never a shell.

A *Caller* (somebody who was let in) asks, in *words*, for a *Command* of the allow-list; the *Policy* gives a *Grant*;
a queue that is fair to callers lends a place; the *Runner* starts the process and reports its *ProcessResult*; the
caller gets an *Answer*; what happened is an *Event*, in the audit file before the answer is complete.

A good order to read the packages: ``core``, ``dispatch``, ``execution``; ``frontends.common`` and ``frontends.line``
for the way in; ``config`` and ``app`` for how the parts are put together.
"""
