"""An nrpe.cfg as hosts have it, with what distributions and administrators put there."""

NRPE_CFG = r"""#############################################################################
# NRPE of web-3
#############################################################################

log_facility=daemon
debug=0
pid_file=/run/nagios/nrpe.pid
server_port=5666
#server_address=127.0.0.1
nrpe_user=nagios
nrpe_group=nagios

# The monitoring servers
allowed_hosts=127.0.0.1,::1, 10.20.0.0/16,monitor.example

dont_blame_nrpe=1
allow_bash_command_substitution=0
# command_prefix=/usr/bin/sudo
command_timeout=45
connection_timeout=300
#ssl_version=TLSv1.2+
ssl_cert_file=/etc/ssl/nagios-cert.pem
ssl_privatekey_file=/etc/ssl/nagios-key.pem
disable_syslog=0

command[check_users]=/usr/lib/nagios/plugins/check_users -w 5 -c 10
command[check_load]=/usr/lib/nagios/plugins/check_load -r -w .15,.10,.05 -c .30,.25,.20
command[check_hda1]=/usr/lib/nagios/plugins/check_disk -w 20% -c 10% -p /dev/hda1

command[Check_Disk] = /usr/lib/nagios/plugins/check_disk -w '$ARG1$' -c "$ARG2$" -p $ARG3$
command[check_http]=/usr/lib/nagios/plugins/check_http -H localhost -u '/health?full={yes}' -s "it's \"up\""
command[check_procs]=/usr/lib/nagios/plugins/check_procs -a '{worker}' --metric=$ARG1$
command[check_raid]=sudo /usr/local/lib/nagios/check_raid --all

command[check_backup]=test -f /var/backups/done && echo OK || exit 2
command[check_mailq]=mailq | grep -c '^[A-F0-9]'
command[check_logs]=/usr/local/bin/check_logs /var/log/*.log
command[check_home]=/usr/local/bin/check_home $HOME
command[help]=/bin/true
command[check_users]=/usr/lib/nagios/plugins/check_users -w 8 -c 16
"""
