"""Starts one command under `ops.child`, reads its lines, ends it with everything it has started."""

from __future__ import annotations

import asyncio
import contextlib
import os
import signal
import sys
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

Show = Callable[[str, str], None]  # who speaks (at most 8 letters), one line

LAUNCHER = Path(__file__).with_name("child.py")
GRACE_SECONDS = 10.0
_CHUNK = 65536
_LONGEST_LINE = 32768


@dataclass
class Running:
    """A started command: its launcher, and the task that passes its output on."""

    name: str
    launcher: asyncio.subprocess.Process
    output: asyncio.Task[None]
    grace: float

    async def wait(self) -> int:
        """Return the exit code of the command, and leave none of its session alive."""
        code = await self.launcher.wait()
        self._sweep()
        # A grandchild that left the session may hold the pipe open: its last words are not worth hanging for.
        await asyncio.wait({self.output}, timeout=1)
        self.output.cancel()
        return code

    async def stop(self) -> int:
        """End the command: SIGTERM, after the grace period SIGKILL; return the exit code."""
        if self.launcher.returncode is None:
            self.launcher.terminate()
            # The launcher sends SIGKILL after the grace period; the second on top is for a stuck launcher.
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(self.launcher.wait(), self.grace + 1)
            self._sweep()
        return await self.wait()

    def _sweep(self) -> None:
        with contextlib.suppress(ProcessLookupError, PermissionError):
            os.killpg(self.launcher.pid, signal.SIGKILL)


async def spawn(
    name: str,
    command: Sequence[str],
    environment: Mapping[str, str],
    show: Show,
    *,
    cwd: Path | None = None,
    grace: float = GRACE_SECONDS,
) -> Running:
    """Start a command in a session of its own; each line that it prints goes to `show`."""
    # A pipe of our own: asyncio's would make `wait` last as long as any grandchild holds it open.
    reading, writing = os.pipe()
    try:
        launcher = await asyncio.create_subprocess_exec(
            sys.executable, "-I", "-S", str(LAUNCHER), str(os.getpid()), str(grace), *command,
            stdin=asyncio.subprocess.DEVNULL, stdout=writing, stderr=asyncio.subprocess.STDOUT,
            env=dict(environment), cwd=cwd, start_new_session=True,
        )  # fmt: skip
    except BaseException:
        os.close(reading)
        raise
    finally:
        os.close(writing)
    return Running(name, launcher, asyncio.create_task(_pass_on(name, reading, show)), grace)


def ended_by(code: int) -> str:
    """Return in words what an exit code of `Running.wait` says."""
    number = code - 128 if code > 128 else -code  # a negative code: the launcher itself was killed
    if number in {item.value for item in signal.Signals} and (code < 0 or code > 128):
        return signal.Signals(number).name
    return f"exit code {code}"


async def _pass_on(name: str, reading: int, show: Show) -> None:
    stream = asyncio.StreamReader()
    transport, _ = await asyncio.get_running_loop().connect_read_pipe(
        lambda: asyncio.StreamReaderProtocol(stream), os.fdopen(reading, "rb", 0)
    )
    rest = b""
    try:
        while chunk := await stream.read(_CHUNK):
            *lines, rest = (rest + chunk).split(b"\n")
            if len(rest) > _LONGEST_LINE:
                lines, rest = [*lines, rest], b""
            for line in lines:
                _show_line(name, line, show)
        if rest:
            _show_line(name, rest, show)
    finally:
        transport.close()


def _show_line(name: str, line: bytes, show: Show) -> None:
    # A progress bar draws over its line with carriage returns: the last state is what counts.
    text = line.decode(errors="replace").rstrip("\r").rpartition("\r")[2].rstrip()
    if text:
        show(name, text)
