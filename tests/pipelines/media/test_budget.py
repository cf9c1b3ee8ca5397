"""Upload limits come from one table, which the environment can override and all readers respect."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from camera.errors import InputError
from pipelines.media.budget import Budget

ROOT = Path(__file__).parents[3]
READS = """
import sys, numpy as np
from pipelines.media.image import png, read_picture
from pathlib import Path
file = Path(sys.argv[1]) / "wide.png"
file.write_bytes(png(np.zeros((1001, 1000, 3), np.uint8)))
read_picture(file)
"""


def test_the_environment_sets_them_and_the_page_says_them(monkeypatch):
    assert Budget.of_environment() == Budget()
    monkeypatch.setenv("RESHOOT_MOST_MEGAPIXELS", "24")
    assert Budget.of_environment() == Budget(megapixels=24)
    assert "up to 24 megapixels" in Budget.of_environment().words
    for wrong in ("0", "-1", "many", "1.5"):
        monkeypatch.setenv("RESHOOT_MOST_FILES", wrong)
        with pytest.raises(InputError, match="RESHOOT_MOST_FILES must be a whole number"):
            Budget.of_environment()


def test_a_reader_obeys(tmp_path):
    environment = os.environ | {"RESHOOT_MOST_MEGAPIXELS": "1"}
    child = subprocess.run(
        [sys.executable, "-c", READS, str(tmp_path)], cwd=ROOT, env=environment, capture_output=True, text=True
    )
    assert "scale it down to at most 1 megapixels" in child.stderr
