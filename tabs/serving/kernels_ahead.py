"""Compiles the renderers before anyone waits for them: at startup, in a process beside the server, into the cache on disk.

`make demo` has done it at install, and then that process only looks. On a Space nobody has: the server answers meanwhile, and
loads what was compiled with its first visitor, see `app`.
"""

from __future__ import annotations

import subprocess
import sys
from contextlib import suppress
from pathlib import Path

ROOT = Path(__file__).parents[2]
LONGEST_SECONDS = 300.0
NICENESS = 10


_begun: list[subprocess.Popen] = []


def begin() -> None:
    """Start the process with low priority; if it cannot be started, the renderers are compiled for the first visitor."""
    politely = f"import os; getattr(os, 'nice', int)({NICENESS}); from pipelines.cli.warm_up import main; main()"
    with suppress(OSError):
        none = subprocess.DEVNULL
        _begun.append(subprocess.Popen([sys.executable, "-c", politely], cwd=ROOT, stdout=none, stderr=none))


def wait() -> None:
    """Wait for the process, if one was started; its compiled renderers then only need to be loaded."""
    while _begun:
        try:
            _begun[-1].wait(LONGEST_SECONDS)
        except subprocess.TimeoutExpired:
            _begun[-1].kill()
        _begun.pop()
