"""Programs that run code, and those that are made for a person at a terminal."""

from collections.abc import Mapping
from typing import Final

from cmdserver.lint.programs.kinds import First, Interpreter, table, words

_C: Final = words("-c")
_E: Final = words("-e")

INTERPRETERS: Final[Mapping[str, Interpreter]] = table(
    {
        "sh bash dash ash ksh mksh zsh rbash rksh yash": Interpreter(
            code=_C, valued=words("-o -O --rcfile --init-file"), is_shell=True, code_ends_options=True
        ),
        "fish csh tcsh": Interpreter(code=words("-c --command"), is_shell=True, code_ends_options=True),
        "pwsh powershell": Interpreter(
            code=words("-c -Command"), script=words("-f -File"), is_shell=True, code_ends_options=True
        ),
        "python pypy ipython": Interpreter(
            code=words("-c -m"), valued=words("-W -X --check-hash-based-pycs"), code_ends_options=True
        ),
        "perl": Interpreter(code=words("-e -E -M -m"), valued=words("-I -F")),
        "ruby": Interpreter(code=_E, valued=words("-I -r -C -E")),
        "lua luajit": Interpreter(code=_E, valued=words("-l")),
        "node nodejs bun deno": Interpreter(
            code=words("-e --eval -p --print"), script=words("-r --require --import --loader"), valued=words("-C")
        ),
        "php": Interpreter(code=words("-r -B -R -E"), script=words("-f -F"), valued=words("-d -c -z")),
        "tclsh wish expect": Interpreter(code=_C),
        "Rscript R": Interpreter(code=_E, script=words("-f")),
        "octave julia guile gosh racket": Interpreter(code=words("-e --eval -c -E")),
        "groovy scala elixir jshell": Interpreter(code=_E),
        "gdb lldb": Interpreter(
            code=words("-ex -eval-command --eval-command -iex -o"), script=words("-x --command"), first=First.OTHER
        ),
        "gawk awk mawk nawk original-awk": Interpreter(
            code=words("--source"), script=words("-f --file"), valued=words("-v -F --assign --field-separator"),
            first=First.CODE, reads_stdin=False, reads_files=True,
        ),
        "sed gsed": Interpreter(
            code=words("-e --expression"), script=words("-f --file"), valued=words("-l"),
            first=First.CODE, reads_stdin=False, reads_files=True,
        ),
        "jq yq": Interpreter(
            script=words("-f --from-file"), valued=words("--arg --argjson --slurpfile --rawfile --indent"),
            first=First.OTHER, reads_stdin=False,
        ),
        "m4 gnuplot dc": Interpreter(code=words("-e"), script=words("-f")),
        "sqlite3": Interpreter(code=words("-cmd -init"), first=First.OTHER),
        "psql": Interpreter(
            code=words("-c --command"), script=words("-f --file"), first=First.OTHER,
            valued=words("-d -h -p -U -v -o -P -R -F -T --dbname --host --port --username --set"),
        ),
        "mysql mariadb": Interpreter(
            code=words("-e --execute"), first=First.OTHER, valued=words("-h -u -P -D -S --host --user --database")
        ),
        "mongo mongosh": Interpreter(code=words("--eval"), first=First.OTHER),
        "redis-cli valkey-cli": Interpreter(first=First.OTHER, valued=words("-h -p -n -a -u")),
        "at batch": Interpreter(script=words("-f"), first=First.OTHER, valued=words("-q -t")),
    }
)  # fmt: skip

#: What a caller's code can do in those that are no shells: as the end of a sentence.
SPECIAL_POWERS: Final[Mapping[str, str]] = table(
    {
        "gawk awk mawk nawk original-awk": "system() and | run programs, and > writes files",
        "sed gsed": "its e command runs programs, its w and r commands write and read files",
        "sqlite3": ".shell runs programs, and .output writes files",
        "psql": r"\! and \copy run programs and read files",
        "mysql mariadb": r"\! runs programs, and LOAD DATA and INTO OUTFILE read and write files",
        "m4 gnuplot dc": "syscmd, system and ! run programs",
        "gdb lldb": "shell runs programs, and any process can be looked into",
    }
)

_EDITOR: Final = "an editor, which is for a person at a terminal, runs programs and writes files"

#: Each lets a person at a terminal run programs and read files; here nobody is at it.
PAGERS_AND_EDITORS: Final[Mapping[str, str]] = table(
    {
        "less more most pg pager sensible-pager":
            "a pager, which is for a person at a terminal and runs programs: write cat, head or tail",
        "man info": "a reader of manuals, which starts a pager: write cat of the text, or leave it out",
        "editor sensible-editor vi vim vim.basic vim.tiny vim.nox nvim ex ed view": _EDITOR,
        "rview rvim vimdiff nano rnano pico emacs emacsclient joe jed ne micro hx kak mcedit": _EDITOR,
        "mc ranger nnn vifm": "a file manager, which is for a person at a terminal and runs programs",
        "tmux screen byobu": "a terminal multiplexer, whose programs go on without any limit of this file",
    }
)  # fmt: skip
