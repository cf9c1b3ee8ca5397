"""``python -m tests.supervisor ARGUMENTS``: runs ``python ARGUMENTS`` and returns its exit status once all its descendants have ended.

A browser's processes briefly outlive the process that started them. On Linux this process then adopts them, so that the
processor time of all of them is reported to whoever waits for it.
"""

from __future__ import annotations

import ctypes
import os
import signal
import subprocess
import sys
import time
from collections.abc import Sequence

PR_SET_CHILD_SUBREAPER = 36
PATIENCE = 5.0
"""Seconds to wait for remaining processes; those that run longer (such as a server of its own) are not waited for."""


def adopt_orphans() -> None:
    """From now on, adopt descendants whose parents end."""
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0)


def wait_for_orphans(seconds: float = PATIENCE) -> None:
    """Wait for all children, for at most so many seconds."""
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        try:
            if os.waitpid(-1, os.WNOHANG)[0] == 0:
                time.sleep(0.05)
        except ChildProcessError:
            return


def main(arguments: Sequence[str]) -> int:
    """The exit status of ``python ARGUMENTS``; if a signal ended it, the same signal ends this process."""
    adopt_orphans()
    child = subprocess.Popen([sys.executable, *arguments])
    signal.signal(signal.SIGTERM, lambda number, frame: child.send_signal(number))
    status = child.wait()
    wait_for_orphans()
    if status < 0:
        signal.signal(-status, signal.SIG_DFL) if -status != signal.SIGKILL else None
        os.kill(os.getpid(), -status)
    return status


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
