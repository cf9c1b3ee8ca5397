"""``python -m tests.supervisor ARGUMENTS``: runs ``python ARGUMENTS`` and ends as it does, once all that it started has ended.

A browser's processes outlive the one that started them by a moment, and would then be nobody's: on Linux they become this
one's, so that whoever waits for it learns what all of them took of the processors.
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
"""Seconds for what is left at the end; what goes on longer (a server of its own) is not waited for."""


def adopt_orphans() -> None:
    """From now on processes below this one whose parents end become its children."""
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0)


def wait_for_orphans(seconds: float = PATIENCE) -> None:
    """Waits for all children, for so many seconds at most."""
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        try:
            if os.waitpid(-1, os.WNOHANG)[0] == 0:
                time.sleep(0.05)
        except ChildProcessError:
            return


def main(arguments: Sequence[str]) -> int:
    """The exit status of ``python ARGUMENTS``; where a signal ended that, the same one ends this process."""
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
