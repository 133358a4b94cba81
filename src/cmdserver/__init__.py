"""One allow-list of host commands behind several listeners; never a shell.

The nouns: a *Caller* (somebody who was let in) asks, in *words*, for a *Command* of the allow-list; the *Policy*
gives a *Grant*; the *Admission* lends a place; the *Runner* starts the process and reports how it *Finished*; the
caller gets an *Answer*; what happened is an *Event*, kept in the audit file before the answer leaves.

A good order to read the files: errors, model, policy, sharing, admission, dispatcher, runner, spawning; then wire,
interpreter and frontends.line for the way in; configuration and service for how it is put together.
"""
