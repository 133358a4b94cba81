"""The line door: one request a line, over TCP, TLS or a UNIX socket."""
