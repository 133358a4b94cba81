"""The names of the rules of ``cmdserver check --lint``, which ``allow`` in a file speaks of.

The names are promises: files have them. What a rule is for, and how it judges, is the business of `cmdserver.lint`;
here a file is only to be told that there is no rule of a name.
"""

from enum import StrEnum


class LintRule(StrEnum):
    """The name of a rule, as it stands behind each line of lint and in ``allow``; of one value's, the worst first."""

    CODE_FROM_CALLER = "code-from-caller"
    CODE_ON_STDIN = "code-on-stdin"
    PROGRAM_FROM_CALLER = "program-from-caller"
    RUNS_OTHERS = "runs-others"
    OPTION_FROM_CALLER = "option-from-caller"
    READS_ANY_FILE = "reads-any-file"
    WRITES_ANY_FILE = "writes-any-file"
    SHELL = "shell"
    PAGER_OR_EDITOR = "pager-or-editor"
    ENVIRONMENT_LOADS_CODE = "environment-loads-code"
    PRIVILEGES = "privileges"
    WRITABLE_PATH = "writable-path"
    FREE_STRING = "free-string"
    ROOT_WITH_PARAMETERS = "root-with-parameters"
    SECRET_IN_ARGUMENTS = "secret-in-arguments"  # noqa: S105 - a rule's name
    WILDCARD_ROLE = "wildcard-role"
    ANONYMOUS_CHANGES = "anonymous-changes"
    ANONYMOUS_WATCHES = "anonymous-watches"
    PLAINTEXT_LISTENER = "plaintext-listener"
    UNUSED_ALLOW = "unused-allow"
