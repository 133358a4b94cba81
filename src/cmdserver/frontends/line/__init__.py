"""The line listener: one request a line, over TCP, TLS or a UNIX socket."""
