"""Programs for something else that run others, or read and write any file, if their words say so."""

from collections.abc import Mapping
from typing import Final

from cmdserver.lint.programs.kinds import Operand, Tool, table, words

_RUN, _READ, _WRITTEN = Operand.RUN, Operand.READ, Operand.WRITTEN

TOOLS: Final[Mapping[str, Tool]] = table(
    {
        # Archives and copies
        "tar gtar bsdtar": Tool(
            power="--to-command, --checkpoint-action, -I and -F run programs, and archives hold and replace any file",
            runs=words("--checkpoint-action --to-command -I --use-compress-program -F --info-script")
            | words("--new-volume-script --rmt-command --rsh-command"),
            reads=words("-T --files-from -X --exclude-from"), writes=words("-f --file -C --directory"),
            valued=words("-b -K -H -N -V --format --exclude --transform"), operands=_READ,
        ),
        "zip": Tool(
            power="-TT runs a program, and an archive holds any file", runs=words("-TT --unzip-command"),
            valued=words("-b -n -P -t -tt -x -i -s"), operands=_READ,
        ),
        "unzip 7z 7za 7zr unrar cpio ar pax": Tool(
            power="they unpack to wherever words say, and pack any file", writes=words("-d -o -D"), operands=_READ
        ),
        "rsync": Tool(
            power="-e and --rsync-path run programs, and it reads and replaces any file",
            runs=words("-e --rsh --rsync-path"), reads=words("--files-from --exclude-from --include-from"),
            writes=words("--log-file --temp-dir --backup-dir --write-batch"), operands=_WRITTEN,
        ),
        "scp sftp": Tool(
            power="-S and -o ProxyCommand= run programs, and they read and replace any file",
            runs=words("-S -o -F"), reads=words("-i"), valued=words("-P -c -l -J"), operands=_WRITTEN,
        ),
        "ssh dbclient autossh": Tool(
            power="-o ProxyCommand= and LocalCommand= run programs here, before there is any other host",
            runs=words("-o -F -O -S -J"), reads=words("-i"), writes=words("-E"),
            valued=words("-p -l -L -R -D -b -c -m"),
        ),
        "ssh-keygen ssh-add ssh-agent": Tool(
            power="-D and -P load libraries, and -f names any file", runs=words("-D -w -s"), reads=words("-f")
        ),
        # Looking for files
        "find gfind": Tool(
            power="-exec and -ok run programs, -delete removes files, -fprint writes them",
            executes=words("-exec -execdir -ok -okdir"), writes=words("-fprint -fprint0 -fls -fprintf"),
            reads=words("-files0-from"), ends_options=False, operands=_READ,
            valued=words("-name -iname -path -ipath -wholename -regex -iregex -type -xtype -size -user -group")
            | words("-uid -gid -perm -newer -anewer -cnewer -newermt -newerct -newerat -mtime -atime -ctime -mmin")
            | words("-amin -cmin")
            | words("-maxdepth -mindepth -links -inum -samefile -lname -fstype -used -printf -regextype -D"),
        ),
        "fd fdfind": Tool(power="-x and -X run programs", executes=words("-x --exec -X --exec-batch")),
        "locate plocate": Tool(power="-d names any file", reads=words("-d --database")),
        # Version control and building
        "git": Tool(
            power="-c, aliases, --upload-pack, ext:: addresses and hooks run programs",
            runs=words("-c --config-env --exec-path --upload-pack -u --receive-pack --exec -O -x")
            | words("--open-files-in-pager"),
            reads=words("-F --file --pathspec-from-file"), writes=words("-C --git-dir --work-tree --output -o"),
            operands=_RUN,
        ),
        "hg svn bzr cvs fossil": Tool(
            power="--config, --diff-cmd, hooks and addresses run programs",
            runs=words("--config --config-option --diff-cmd --diff3-cmd --editor-cmd --ssh"), operands=_RUN,
        ),
        "make gmake ninja cmake rake ant mvn gradle just task": Tool(
            power="what they build is what a file says, and NAME=VALUE and --eval change it",
            runs=words("-f --file --makefile -E --eval -C --directory -P"), operands=_RUN,
        ),
        "gcc cc g++ clang ld as": Tool(
            power="-wrapper, -B, plugins and @FILE run programs and read files", runs=words("-wrapper -B -fplugin"),
            writes=words("-o"), reads=words("-x -include"), operands=_READ,
        ),
        "pip pip3 pipx npm npx yarn pnpm gem bundle cargo go cpan composer uv uvx": Tool(
            power="a package runs its own programs while it is installed",
            runs=words("-r --requirement -c --constraint -i --index-url --target --prefix"), operands=_RUN,
        ),
        "apt apt-get aptitude dpkg yum dnf zypper rpm apk pacman snap flatpak": Tool(
            power="-o and hooks of packages run programs as root, and a local file is a package too",
            runs=words("-o --option -c --config-file --admindir --root --eval -E --pre-invoke --post-invoke"),
            operands=_RUN,
        ),
        # The host
        "systemctl": Tool(
            has_subcommands=True,
            power="edit starts an editor, link and enable take unit files from anywhere, and -H goes to other hosts",
            runs=words("-H --host -M --machine --root --image"),
            valued=words("-t --type -p --property -n --lines -o --output -s --signal --state --kill-whom"),
        ),
        "journalctl": Tool(
            power="-D, --file and --root read journals from anywhere, and --vacuum-size removes them",
            reads=words("-D --directory --file --root --image --cursor-file"),
            valued=words("-u --unit -n --lines -S --since -U --until -p --priority -g --grep -o --output -t -b -k"),
        ),
        "crontab": Tool(power="it is given what is to run at which time", operands=_RUN),
        "service invoke-rc.d run-parts start-stop-daemon": Tool(
            power="they run what a path names, and ../ leads to any program", operands=_RUN, runs=words("-x --exec -a"),
        ),
        "modprobe insmod rmmod kexec ldconfig": Tool(
            power="they load code into the kernel or into every program", runs=words("-C -d -f"), operands=_RUN
        ),
        "mount umount losetup mkfs swapon": Tool(
            power="what is mounted hides or brings files, programs among them", operands=_WRITTEN
        ),
        "sysctl": Tool(
            power="kernel.core_pattern and kernel.modprobe name programs", operands=_RUN, runs=words("-w -p --load"),
        ),
        "ip": Tool(
            has_subcommands=True,
            power="-b reads commands, netns exec runs programs", reads=words("-b -batch -force"),
            valued=words("-n -netns -f -family"),
        ),
        "iptables ip6tables iptables-restore": Tool(
            power="--modprobe runs a program", runs=words("--modprobe -M"), valued=None
        ),
        "nft": Tool(power="-f and include read any file", reads=words("-f --file -I --includepath"), operands=_READ),
        "logrotate": Tool(
            power="a configuration of a caller's runs scripts", runs=words("-m --mail -s --state"), operands=_RUN
        ),
        "nginx apache2 httpd caddy haproxy rsyslogd dnsmasq sshd": Tool(
            power="a configuration or directive of a caller's loads code and reads files",
            runs=words("-c -g -C -f --config -o --conf-file --dhcp-script"), operands=_RUN,
        ),
        "ansible ansible-playbook ansible-console terraform tofu puppet chef-client salt salt-call": Tool(
            power="modules, playbooks and extra variables run programs",
            runs=words("-m --module-name -a --args -e --extra-vars -i --inventory -var -chdir --execute"),
            operands=_RUN,
        ),
        # Containers
        "docker podman nerdctl": Tool(
            has_subcommands=True,
            power="run with -v, --privileged or --pid=host is root on this host, and exec runs programs",
            runs=words("-v --volume --mount --privileged --pid --device --entrypoint -H --host --cap-add --config -f"),
            valued=words("--name --tail -n --since --until --format --filter"),
        ),
        "kubectl oc helm": Tool(
            has_subcommands=True,
            power="exec, cp, apply -f and plugins run programs, and --kubeconfig runs one to log in",
            runs=words("-f --filename --kubeconfig --server -s --token --as --post-renderer"),
            valued=words("-n --namespace -l --selector -c --container --context -o --output"),
        ),
        "virsh vagrant lxc incus machinectl": Tool(
            power="they run programs in guests, and define new ones", operands=_RUN
        ),
        # The network
        "curl": Tool(
            power="-o writes and -K, -T and file:// read any file, and it reaches what only this host can reach",
            reads=words("-K --config -T --upload-file -d --data --data-binary -F --form -b --cookie -E --cert --key")
            | words("--cacert --netrc-file -H --header"),
            writes=words("-o --output -D --dump-header -c --cookie-jar --trace --trace-ascii --output-dir --stderr"),
            valued=words("-m --max-time -X --request -A --user-agent -u --user -w --write-out -e")
            | words("--connect-timeout --retry"),
            operands=_READ,
        ),
        "wget": Tool(
            power="-O writes and --post-file and -i read any file, and --use-askpass runs a program",
            runs=words("--use-askpass -e --execute --config"), reads=words("--post-file --body-file -i --input-file"),
            writes=words("-O --output-document -o --output-file -a -P --directory-prefix --save-cookies"),
            valued=words("-T --timeout -t --tries -U"), operands=_READ,
        ),
        "tcpdump tshark dumpcap": Tool(
            power="-z runs a program, -w writes any file", runs=words("-z -X -Z"), reads=words("-r -F -V"),
            writes=words("-w"), valued=words("-i -c -s -G -C -W -T -B"),
        ),
        "nmap": Tool(
            power="--script runs code, -oN writes and -iL reads any file",
            runs=words("--script --datadir --servicedb --versiondb"),
            reads=words("-iL --excludefile --script-args-file"),
            writes=words("-oN -oX -oG -oA -oS"), valued=words("-p -T -e -S -g --max-retries --host-timeout"),
        ),
        "nc ncat netcat socat": Tool(
            power="-e, -c, EXEC: and SYSTEM: run programs", runs=words("-e -c --exec --sh-exec --lua-exec"),
            reads=words("-U"), writes=words("-o --output"), valued=words("-p -w -s -q -X -x"),
        ),
        "openssl": Tool(
            has_subcommands=True,
            power="-engine, -provider and -config load libraries, -in and -out read and write any file",
            runs=words("-engine -provider -provider-path -config"),
            reads=words("-in -key -inkey -CAfile -cert -pass -passin -kfile -infiles"),
            writes=words("-out -keyout -writerand"),
            valued=words("-connect -servername -days -subj"),
        ),
        "gpg gpg2": Tool(
            power="--options and --photo-viewer run programs, -o writes any file",
            runs=words("--options --photo-viewer --exec-path --agent-program --pinentry-mode"),
            writes=words("-o --output --homedir"), operands=_READ,
        ),
        "mail mailx mutt sendmail exim exim4 postfix": Tool(
            power="-C, -X and ~! run programs and write files, -a sends any file away",
            runs=words("-C -X -F -S -e -be -D -oM"), reads=words("-a -A -f -i"), valued=words("-s -r -c -b"),
        ),
        "ftp tftp lftp smbclient telnet": Tool(
            power="! and -c run programs, get and put write and read any file", runs=words("-c -e -f"), operands=_READ
        ),
        "dig host nslookup": Tool(
            power="-f reads any file, and the answer shows it", reads=words("-f -k"), valued=None
        ),
        "rclone restic borg duplicity aws gsutil gcloud az": Tool(
            power="options name programs for passwords and transports, and copies read and replace any file",
            runs=words("--rsh --password-command --rclone-program -o --config --endpoint-url"), operands=_WRITTEN,
        ),
        "pg_dump pg_restore mysqldump mongodump": Tool(
            power="-f writes any file", writes=words("-f --file -r --result-file -o --out --tab -T")
        ),
        # Text that runs programs
        "sort": Tool(
            power="--compress-program runs a program, -o writes and -T reads any file",
            runs=words("--compress-program"),
            writes=words("-o --output -T"), reads=words("--files0-from"), valued=words("-k -t -S"), operands=_READ,
        ),
        "split csplit": Tool(power="--filter runs a program", runs=words("--filter"), operands=_WRITTEN),
        "ffmpeg convert magick gs pdflatex latex tex xelatex wkhtmltopdf pandoc": Tool(
            power="formats run programs and read any file, and the last word is a file that is written",
            runs=words("--shell-escape -shell-escape --filter -F --lua-filter --pdf-engine"), operands=_WRITTEN,
        ),
        "dmesg last lastb w who": Tool(power="-F and -f read any file", reads=words("-F --file -f -K --kmsg-file")),
    }
)  # fmt: skip
