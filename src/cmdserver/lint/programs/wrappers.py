"""Programs that run what their words name: lint looks through them."""

from collections.abc import Mapping
from typing import Final

from cmdserver.lint.programs.kinds import Wrapper, table, words

#: They give somebody's rights, besides.
PRIVILEGED: Final = words("sudo sudo-rs doas pkexec su su-rs runuser")

WRAPPERS: Final[Mapping[str, Wrapper]] = table(
    {
        "env": Wrapper(valued=words("-u --unset -C --chdir"), code=words("-S --split-string"), assigns=True),
        "nohup setsid setarch linux32 linux64 dbus-run-session catchsegv eatmydata fakeroot proxychains": Wrapper(),
        "busybox toybox": Wrapper(),
        "nice": Wrapper(valued=words("-n --adjustment")),
        "ionice": Wrapper(valued=words("-c --class -n --classdata -p -P -u")),
        "chrt": Wrapper(valued=words("-T -P -D"), operands=1),
        "taskset": Wrapper(operands=1),
        "timeout": Wrapper(valued=words("-k --kill-after -s --signal"), operands=1),
        "time": Wrapper(valued=words("-f --format -o --output")),
        "stdbuf": Wrapper(valued=words("-i --input -o --output -e --error")),
        "chroot": Wrapper(operands=1),
        "xargs": Wrapper(
            valued=words("-I -i -n -P -L -s -d -E -a --max-args --max-procs --delimiter --arg-file"), reads_words=True
        ),
        "parallel": Wrapper(valued=words("-j --jobs -a --arg-file"), joins=True, reads_words=True),
        "flock": Wrapper(valued=words("-w --timeout -E"), code=words("-c --command"), operands=1),
        "unshare": Wrapper(valued=words("-S --setuid -G --setgid -R --root -w --wd")),
        "nsenter": Wrapper(valued=words("-t --target -S --setuid -G --setgid")),
        "setpriv": Wrapper(valued=words("--reuid --regid --groups --inh-caps --bounding-set")),
        "capsh": Wrapper(code=words("-c")),
        "prlimit": Wrapper(valued=words("-p --pid")),
        "numactl cgexec": Wrapper(valued=words("-g -N -m -C -i --cpunodebind --membind")),
        "strace ltrace": Wrapper(valued=words("-o -e -p -s -u -E -P -a -b -I -O -S -X")),
        "valgrind perf": Wrapper(),
        "watch": Wrapper(valued=words("-n --interval -q"), joins=True),
        "script": Wrapper(code=words("-c --command"), valued=words("-O -I -B -T -m -o"), operands=99),
        "systemd-run": Wrapper(
            valued=words(
                "-p --property -u --unit -M --machine -H --host -E --setenv -t --uid --gid --slice --on-active"
            )
        ),
        "systemd-inhibit": Wrapper(valued=words("--what --who --why --mode")),
        "sudo sudo-rs": Wrapper(valued=words("-u --user -g --group -h -p -C -T -r -t -D -R"), assigns=True),
        "doas": Wrapper(valued=words("-u -C")),
        "pkexec": Wrapper(valued=words("--user")),
        "su su-rs": Wrapper(code=words("-c --command"), valued=words("-s --shell -g -G -w"), operands=99),
        "runuser": Wrapper(valued=words("-u --user -g -G -s --shell"), code=words("-c --command")),
        "ssh dbclient": Wrapper(
            valued=words("-B -b -c -D -E -e -F -I -i -J -L -l -m -O -o -P -p -Q -R -S -W -w"),
            operands=1,
            joins=True,
            reads_words=True,
        ),
        "docker podman nerdctl": Wrapper(
            valued=words("-e --env -u --user -w --workdir --env-file -H --host --context"),
            operands=1,
            after=("exec",),
        ),
        "kubectl oc": Wrapper(
            valued=words("-n --namespace -c --container --context --kubeconfig"), operands=1, after=("exec",)
        ),
        "lxc incus": Wrapper(valued=words("--env --user --cwd"), operands=1, after=("exec",)),
        "machinectl": Wrapper(operands=1, after=("shell",)),
        "ip": Wrapper(valued=words("-n -netns"), operands=1, after=("netns", "exec")),
    }
)
