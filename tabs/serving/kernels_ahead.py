"""Renderers are compiled before anybody waits for them: at the start, by a process beside the server, for the copy on disk.

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
    """Starts the process, which takes only what others leave; where none can be started, the first visitor's is the first."""
    politely = f"import os; getattr(os, 'nice', int)({NICENESS}); from pipelines.cli.warm_up import main; main()"
    with suppress(OSError):
        none = subprocess.DEVNULL
        _begun.append(subprocess.Popen([sys.executable, "-c", politely], cwd=ROOT, stdout=none, stderr=none))


def wait() -> None:
    """Until the process is through, if one was begun: what it has compiled needs only be loaded."""
    while _begun:
        try:
            _begun[-1].wait(LONGEST_SECONDS)
        except subprocess.TimeoutExpired:
            _begun[-1].kill()
        _begun.pop()
