"""What two configurations differ in: who may newly do what, who may no longer, and what runs differently.

For ``cmdserver diff`` and the log of a reload. Pure: it must not know files, nor how changes are printed. No value of
an environment or a standard input is in what it says, and a mask where a word of an argument list looks secret.

May import: config, core, lint, parameters.
"""
