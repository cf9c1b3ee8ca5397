"""Retries Gradio's startup check if the server answers late, as on a busy machine."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager

from gradio import networking

TIMES, APART_SECONDS = 20, 0.5
"""Gradio requests its own URL, waits 3 s for the answer, and otherwise reports that localhost is not accessible and exits."""


@contextmanager
def patient_start() -> Iterator[None]:
    """A context in which Gradio's startup check fails only after `TIMES` late answers."""
    asked = networking.url_ok

    def answers(url: str) -> bool:
        for _ in range(TIMES - 1):
            if asked(url):
                return True
            time.sleep(APART_SECONDS)
        return asked(url)

    networking.url_ok = answers  # type: ignore[assignment]
    try:
        yield
    finally:
        networking.url_ok = asked  # type: ignore[assignment]
