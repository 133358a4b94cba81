"""Programs that do nothing but read or write the files that their words name."""

from collections.abc import Mapping
from typing import Final

from cmdserver.lint.programs.kinds import Operand, Tool, table, words

_NONE: Final = frozenset[str]()
_READ, _WRITTEN = Operand.READ, Operand.WRITTEN
_SHOWS: Final = "they show what is in any file that the daemon, or the command's user, may read"

FILE_TOOLS: Final[Mapping[str, Tool]] = table(
    {
        "cat tac rev zcat bzcat xzcat zstdcat": Tool(power=_SHOWS, valued=_NONE, operands=_READ),
        "nl strings paste fold fmt pr column uniq expand unexpand look": Tool(
            power=_SHOWS, valued=words("-w -n -s -d -c -t -l -W"), operands=_READ
        ),
        "head tail": Tool(power=_SHOWS, valued=words("-n --lines -c --bytes -s --pid"), operands=_READ),
        "od hd hexdump xxd base64 base32 basenc": Tool(
            power=_SHOWS, valued=words("-n -N -j -t -A -w -s -l -c -e -C"), operands=_READ
        ),
        "cut": Tool(power=_SHOWS, valued=words("-d -f -c -b --delimiter --fields"), operands=_READ),
        "grep egrep fgrep zgrep rg ag ack": Tool(
            power="they show lines of any file, -f one that is read as patterns",
            reads=words("-f --file --exclude-from"),
            valued=words("-e --regexp -m -A -B -C -d -D") | words("--include --exclude --color"),
            operands=_READ, skipped=1,
        ),
        "diff cmp comm join sdiff diff3 colordiff": Tool(
            power=_SHOWS, valued=words("-U -C -W -I -x"), reads=words("-X --from-file --to-file"),
            writes=words("-o --output"), operands=_READ,
        ),
        "wc sum cksum md5sum sha1sum sha224sum sha256sum sha384sum sha512sum b2sum file": Tool(
            power="-c, -f and --files0-from show lines of any file",
            reads=words("-c --check -f --files-from -m --files0-from"),
        ),
        "xmllint iconv csvtool xsltproc": Tool(
            power=_SHOWS, writes=words("-o --output"), valued=words("-f -t --xpath"), operands=_READ
        ),
        "dd": Tool(
            power="if= reads and of= writes any file, and any disk", reads=words("if="), writes=words("of=")
        ),
        "cp mv install ln": Tool(
            power="they replace files, -t says where", writes=words("-t --target-directory"),
            valued=words("-m -o -g -S --mode --owner --group --suffix"), operands=_WRITTEN,
        ),
        "tee": Tool(power="it writes what it reads to any file", valued=_NONE, operands=_WRITTEN),
        "rm rmdir unlink shred mkdir mkfifo mknod touch truncate fallocate": Tool(
            power="they make, empty or remove any file", reads=words("-r --reference"),
            valued=words("-s --size -d --date -t -m --mode -n -l -o"), operands=_WRITTEN,
        ),
        "chmod chown chgrp setfacl chattr setcap chcon": Tool(
            power="they say who may write to any file", valued=words("-m -M -x -X -u -r -t --from"),
            operands=_WRITTEN, skipped=1,
        ),
        "gzip gunzip bzip2 bunzip2 xz unxz zstd unzstd compress": Tool(
            power="they replace any file by another", writes=words("-o"), valued=words("-S --suffix -T -b"),
            operands=_WRITTEN,
        ),
        "shuf": Tool(power="-o writes any file", writes=words("-o --output"), valued=words("-n -i"), operands=_READ),
        "wall": Tool(power=_SHOWS, valued=words("-t -g"), operands=_READ),
        "logger": Tool(
            power="-f reads any file", reads=words("-f --file"), valued=words("-t --tag -p --priority -n -P")
        ),
        "date": Tool(
            power="-f reads any file, and shows its lines as mistakes", reads=words("-f --file -r --reference")
        ),
        "ss arp": Tool(power="-F and -f read any file", reads=words("-F --filter -f --file")),
    }
)  # fmt: skip
