"""Tell twistd that there is a command named ``cmdserver``; nothing is imported until it is asked for."""

from twisted.application.service import ServiceMaker

cmdserver = ServiceMaker(
    "cmdserver",
    "cmdserver.plugin",
    "Answer an allow-list of host commands through several doors",
    "cmdserver",
)
