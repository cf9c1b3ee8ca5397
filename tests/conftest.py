"""Shared by all tests: one torch thread (the machine's cores run tests, not barriers), no network, golden files."""

from __future__ import annotations

import os
from pathlib import Path

os.environ.setdefault("OMP_NUM_THREADS", "1")
os.environ.setdefault("TORCHINDUCTOR_COMPILE_THREADS", "1")  # else its compiler starts processes that import torch anew
os.environ.setdefault("HF_HUB_OFFLINE", "1")
os.environ.setdefault("GRADIO_ANALYTICS_ENABLED", "False")

import pytest


@pytest.fixture(scope="session")
def playwright():
    """What starts browsers: one for all tests of a process, since there can't be two."""
    from playwright.sync_api import sync_playwright

    with sync_playwright() as started:
        yield started


@pytest.fixture(scope="session")
def golden() -> Path:
    """Folder of arrays computed by the original code of each method; golden/README.md says how."""
    return Path(__file__).parent / "golden"
