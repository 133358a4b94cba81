"""Configurations of servers that probes look at: all that they write lies in one directory."""

from collections.abc import Sequence
from pathlib import Path

_NGINX = """
daemon off;
pid {place}/nginx.pid;
error_log {place}/nginx.log;
events {{}}
http {{
    access_log off;
    client_body_temp_path {place}/body;
    proxy_temp_path {place}/proxy;
    fastcgi_temp_path {place}/fastcgi;
    uwsgi_temp_path {place}/uwsgi;
    scgi_temp_path {place}/scgi;
    server {{
{server}
    }}
}}
"""
_NSD = """
server:
{addresses}
  server-count: 1
  username: ""
  zonesdir: "{place}"
  pidfile: "{place}/nsd.pid"
  logfile: "{place}/nsd.log"
  database: ""
  xfrdfile: "{place}/xfrd"
  zonelistfile: "{place}/zones"
remote-control:
  control-enable: no
zone:
  name: {zone}
  zonefile: zone
"""


def nginx_configuration(place: Path, server: str) -> str:
    """Configure a web server, of which ``server`` is what stands within ``server { }``."""
    return _NGINX.format(place=place, server=server.strip("\n"))


def nsd_configuration(place: Path, addresses: Sequence[str], zone: str) -> str:
    """Configure a name server at addresses, each with ``@PORT``, for one zone, which is in the file ``zone``."""
    return _NSD.format(place=place, addresses="\n".join(f"  ip-address: {each}" for each in addresses), zone=zone)
