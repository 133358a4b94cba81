"""What people type beside the daemon: ``cmdserver user``, ``key``, ``token``, ``check``, ``explain``.

May import: everything but the front ends.
"""
