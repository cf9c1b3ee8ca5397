"""Compiles the renderers at startup, before anyone needs them, in a separate process, into the cache on disk.

`make demo` compiles them at installation; then that process only checks. On a Space they are not compiled yet: the server
answers meanwhile, and loads the compiled renderers with its first visitor, see `app`.
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
