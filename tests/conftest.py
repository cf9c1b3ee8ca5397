"""Shared by all tests: one torch thread (the cores run tests in parallel), no network, golden files."""

from __future__ import annotations

import gc
import os
import sys
from pathlib import Path

os.environ.setdefault("OMP_NUM_THREADS", "1")
os.environ.setdefault("TORCHINDUCTOR_COMPILE_THREADS", "1")  # else its compiler starts processes that import torch
os.environ.setdefault("HF_HUB_OFFLINE", "1")
os.environ.setdefault("GRADIO_ANALYTICS_ENABLED", "False")

import pytest

MANY_MODULES = 100


_modules_then = 0
"""Number of modules loaded at the last freeze."""


def pytest_runtest_setup() -> None:
    """Freeze the objects created by imports: they live to the end, and the garbage collector need not scan them in every run."""
    global _modules_then
    if len(sys.modules) > _modules_then + MANY_MODULES:
        _modules_then = len(sys.modules)
        gc.collect()
        gc.freeze()


@pytest.fixture(scope="session")
def playwright():
    """Playwright, which starts browsers: one for all tests of a process, since there cannot be two."""
    from playwright.sync_api import sync_playwright

    with sync_playwright() as started:
        yield started


@pytest.fixture(scope="session")
def golden() -> Path:
    """Folder of arrays computed by the original code of each method."""
    return Path(__file__).parent / "golden"
