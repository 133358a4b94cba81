"""What commands print, as they print it in the language that LANG=C speaks; by the names of their parsers."""

PS = b"""\
USER         PID %CPU %MEM    VSZ   RSS TTY      STAT START   TIME COMMAND
root           1  0.0  0.0 168204 13512 ?        Ss   Nov26   0:09 /sbin/init
postgres    2214 12.4  5.7 2143232 1887436 ?     Rs   08:02 221:09 postgres: shop shop_production [local] SELECT
www-data    1188  6.1  0.6 310212 217088 ?       S    Nov26  72:40 php-fpm: pool www
"""
PS_EF = b"""\
UID          PID    PPID  C STIME TTY          TIME CMD
root           1       0  0 Nov26 ?        00:00:09 /sbin/init
ann         4020    4019  2 09:12 pts/0    00:00:01 -bash
"""
SS = b"""\
State  Recv-Q Send-Q Local Address:Port Peer Address:PortProcess
LISTEN 0      511          0.0.0.0:80        0.0.0.0:*    users:(("nginx",pid=902,fd=6),("nginx",pid=901,fd=6))
LISTEN 0      128             [::]:22           [::]:*    users:(("sshd",pid=812,fd=4))
"""
SYSTEMCTL = b"""\
  UNIT                LOAD   ACTIVE SUB     DESCRIPTION
  boot.mount          loaded active mounted /boot
* nginx.service       loaded failed failed  A high performance web server and a reverse proxy server
  ssh.service         loaded active running OpenBSD Secure Shell server

LOAD   = Reflects whether the unit definition was properly loaded.
3 loaded units listed.
"""
LSBLK = b"""\
NAME        MAJ:MIN RM   SIZE RO TYPE MOUNTPOINTS
sda           8:0    0    20G  0 disk 
|-sda1        8:1    0     1G  0 part /boot
`-sda2        8:2    0    19G  0 part 
  `-vg-root 253:0    0    17G  0 lvm  /
"""  # noqa: W291 - as it is
FREE = b"""\
               total        used        free      shared  buff/cache   available
Mem:        24684084      942908    20410456        8872     3883564    23741176
Swap:        2097148     1048574     1048574
"""
FREE_H = b"""\
               total        used        free      shared  buff/cache   available
Mem:           3.8Gi       920Mi       1.9Gi       8.7Mi       1.1Gi       2.7Gi
Swap:             0B          0B          0B
"""
TOP = b"""\
top - 14:35:12 up 14:03,  0 user,  load average: 1.22, 1.00, 0.70
Tasks:  92 total,   2 running,  90 sleeping,   0 stopped,   0 zombie
%Cpu(s):  0.0 us,  1.0 sy,  0.0 ni, 99.0 id,  0.0 wa,  0.0 hi,  0.0 si,  0.0 st
MiB Mem :  24105.6 total,  19931.9 free,    920.1 used,   3793.7 buff/cache
MiB Swap:      0.0 total,      0.0 free,      0.0 used.  23185.5 avail Mem

  PID USER      PR  NI    VIRT    RES    SHR S  %CPU  %MEM     TIME+ COMMAND
 2571 root      20   0  120572 103676  22160 D  68.8   0.4   0:11.29 python
  902 www-data  20   0    3.1g   1.2g   6380 S   0.0   0.1   3:59.87 nginx
"""
LAST = b"""\
ann      pts/0        192.0.2.7        Sat Nov 28 09:12   still logged in
ben      pts/1        shop1.example.or Fri Nov 27 22:01 - 23:10  (01:09)

wtmp begins Tue May 20 00:00:00 2025
"""
DF = b"""\
Filesystem     1K-blocks      Used Available Use% Mounted on
/dev/vda1      125829120  76546048  49283072  61% /
/dev/vdb1      524288000 440401920  83886080  84% /srv/shop
/dev/vdc1     1073741824 999292928  74448896  93% /var/backups
tmpfs           16777216         0  16777216   0% /dev/shm
"""
DOCKER = b"""\
CONTAINER ID   IMAGE          COMMAND                  CREATED        STATUS        PORTS                NAMES
4c01db0b339c   nginx:1.25     "/docker-entrypoint.s"   17 hours ago   Up 17 hours   0.0.0.0:80->80/tcp   web
d7886598dbe2   postgres:16    "docker-entrypoint.s"    2 days ago     Up 2 days                          db
"""
APT = b"""\
Listing...
adduser/stable,now 3.134 all [installed,automatic]
nginx/stable-security 1.22.1-9+deb12u1 amd64 [upgradable from: 1.22.1-9]
zsh/stable 5.9-4+b2 amd64
"""
IP = b"""\
1: lo: <LOOPBACK,UP,LOWER_UP> mtu 65536 qdisc noqueue state UNKNOWN group default qlen 1000
    link/loopback 00:00:00:00:00:00 brd 00:00:00:00:00:00
    inet 127.0.0.1/8 scope host lo
       valid_lft forever preferred_lft forever
    inet6 ::1/128 scope host 
       valid_lft forever preferred_lft forever
2: eth0@if7: <BROADCAST,MULTICAST,UP,LOWER_UP> mtu 1400 qdisc pfifo_fast state UP group default qlen 1000
    link/ether 02:fc:00:00:00:01 brd ff:ff:ff:ff:ff:ff
    inet 192.0.2.2/24 brd 192.0.2.255 scope global eth0
"""  # noqa: W291 - as it is
