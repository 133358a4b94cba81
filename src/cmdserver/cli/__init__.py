"""What people type beside the daemon: ``cmdserver user``, ``key``, ``token``, ``check``, ``explain``, ``completion``.

May import: everything but the front ends.
"""
