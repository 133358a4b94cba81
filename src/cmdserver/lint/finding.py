"""What a rule has found."""

from msgspec import Struct

from cmdserver.config.lint_rule import LintRule
from cmdserver.config.source_map import Path


class LintFinding(Struct, frozen=True):
    """Something that is allowed by the file and perhaps not meant."""

    rule: LintRule
    #: The key that it is about, from the top of the file; its table is the one whose ``allow`` silences it.
    path: Path
    #: For whoever wrote the file: what it allows, and what to write instead.
    text: str
    #: The parameter that it is about; empty: none.
    parameter: str = ""
