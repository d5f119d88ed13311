"""Runs one command so that nothing of it outlives us: `python child.py PARENT_PID GRACE COMMAND…`.

It stands between `dianfu serve` and a process because that process may have children of its own (the action
server has a worker), which the kernel does not end when `serve` is killed with -9. It imports the standard
library alone, so that it starts in a few milliseconds.

* The parent dies, or SIGTERM comes: the command gets SIGTERM, after GRACE seconds all get SIGKILL.
* This launcher dies: the kernel ends the command with SIGKILL (Linux).
* Exit code: the command's own, 128 + the signal that ended it, or 127 if it could not be started.
"""

from __future__ import annotations

import ctypes
import os
import signal
import subprocess
import sys
import time

PR_SET_PDEATHSIG = 1
POLL_SECONDS = 0.02
NOT_STARTED = 127
_AWAITED = {signal.SIGTERM, signal.SIGCHLD}
_libc = ctypes.CDLL(None) if sys.platform == "linux" else None


def main(arguments: list[str]) -> int:
    """Run the command until it ends, its turn comes to end, or the parent is gone; return the exit code."""
    parent, grace, command = int(arguments[0]), float(arguments[1]), arguments[2:]
    # Signals are waited for, not handled: none can come between the command's start and our knowing its pid.
    signal.signal(signal.SIGCHLD, lambda *_: None)
    signal.pthread_sigmask(signal.SIG_BLOCK, _AWAITED)
    die_with_parent(signal.SIGTERM)
    if os.getppid() != parent:
        return 1
    try:
        child = subprocess.Popen(command, preexec_fn=_prepare)  # one thread: preexec_fn is safe
    except OSError as error:
        print(f"cannot start {command[0]}: {error.strerror}", flush=True)
        return NOT_STARTED
    while child.poll() is None:
        if signal.sigwait(_AWAITED) == signal.SIGTERM:
            _end(child, grace, orphaned=os.getppid() != parent)
    return child.returncode if child.returncode >= 0 else 128 - child.returncode


def die_with_parent(number: int) -> None:
    """Ask the kernel to send this process a signal when its parent ends; Linux alone can do it."""
    if _libc is not None:
        _libc.prctl(PR_SET_PDEATHSIG, number, 0, 0, 0)


def _prepare() -> None:
    signal.pthread_sigmask(signal.SIG_UNBLOCK, _AWAITED)
    die_with_parent(signal.SIGKILL)


def _end(child: subprocess.Popen[bytes], grace: float, *, orphaned: bool) -> None:
    child.terminate()
    until = time.monotonic() + grace
    while child.poll() is None and time.monotonic() < until:
        time.sleep(POLL_SECONDS)
    if orphaned:  # nobody is left to sweep our session: do it here, ourselves included
        os.killpg(0, signal.SIGKILL)
    if child.poll() is None:
        child.kill()
        child.wait()


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
