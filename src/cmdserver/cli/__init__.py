"""What people type beside the daemon: ``cmdserver user``, ``key``, ``token``, ``check``, ``explain`` and the like.

May import: everything but the front ends.
"""
