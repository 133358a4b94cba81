"""The SSH server that one writes with asyncssh: `uptime`, and nothing else.

asyncssh_server.py PORT HOST_KEY AUTHORIZED_KEYS PROGRAM
"""

import asyncio
import sys

import asyncssh


async def answer(process: asyncssh.SSHServerProcess, program: str) -> None:
    """Run the program for whoever asks for it."""
    child = await asyncio.create_subprocess_exec(
        program, stdin=asyncio.subprocess.DEVNULL, stdout=asyncio.subprocess.PIPE, env={"LANG": "C"}
    )
    output, _ = await child.communicate()
    process.stdout.write(output.decode())
    process.exit(child.returncode or 0)


async def main(port: str, host_key: str, authorized_keys: str, program: str) -> None:
    """Serve."""
    await asyncssh.create_server(
        asyncssh.SSHServer,
        "127.0.0.1",
        int(port),
        server_host_keys=[host_key],
        authorized_client_keys=authorized_keys,
        process_factory=lambda process: answer(process, program),
        backlog=1024,
    )
    await asyncio.Event().wait()


if __name__ == "__main__":
    asyncio.run(main(*sys.argv[1:5]))
