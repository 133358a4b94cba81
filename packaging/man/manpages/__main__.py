"""``packaging/man/build OUTDIR``: write the man pages into a directory."""

import os
import sys
from collections.abc import Sequence
from functools import partial
from pathlib import Path

REPOSITORY = Path(__file__).parents[3]
_USAGE = "usage: packaging/man/build OUTDIR"


def write_pages(directory: Path) -> list[Path]:
    """Write all pages of this source into a directory, which is made if need be, and return their paths."""
    # Not before it is known that this can be imported.
    from manpages import dating  # noqa: PLC0415
    from manpages.pages import PAGES, Source  # noqa: PLC0415

    changelog = (REPOSITORY / "CHANGELOG.md").read_text(encoding="utf-8")
    source = Source(
        documents=REPOSITORY / "docs",
        date=dating.date_of(os.environ, changelog, partial(dating.last_commit, REPOSITORY)),
        version=dating.version_of(REPOSITORY / "pyproject.toml"),
    )
    texts = {page.file: page.text(source) for page in PAGES}
    directory.mkdir(parents=True, exist_ok=True)
    for name, text in texts.items():
        (directory / name).write_text(text, encoding="ascii")
    return [directory / name for name in texts]


def run(words: Sequence[str]) -> int:
    """Do what was asked for, say which files there are now, and return the exit status."""
    if len(words) != 1 or words[0].startswith("-"):
        is_help = list(words) in (["--help"], ["-h"])
        print(f"{_USAGE}\n\nPYTHON=... names the Python that has cmdserver[man].", file=sys.stderr)  # noqa: T201
        return 0 if is_help else 2
    try:
        paths = write_pages(Path(words[0]))
    except ModuleNotFoundError as error:
        print(f"{sys.executable} has no module {error.name}: {sys.executable} -m pip install '.[man]'", file=sys.stderr)  # noqa: T201
        return 1
    except Exception as error:
        from manpages.dating import NoDate  # noqa: PLC0415
        from manpages.markdown import CannotWrite  # noqa: PLC0415

        if not isinstance(error, CannotWrite | NoDate | OSError):
            raise
        print(f"packaging/man/build: {error}", file=sys.stderr)  # noqa: T201
        return 1
    for path in paths:
        print(path)  # noqa: T201
    return 0


if __name__ == "__main__":
    sys.exit(run(sys.argv[1:]))
