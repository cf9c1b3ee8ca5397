"""A wheel holds the packages with their data, the modules at the top and the command; nothing of the tests."""

import os
import shutil
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
PACKAGES = ("camera", "pipelines", "tabs", "examples")
FILES = ("app.py", "reshoot.py", "pyproject.toml", "requirements.txt", "README.md", "LICENSE")


@pytest.fixture(scope="module")
def wheel(tmp_path_factory):
    home, out = tmp_path_factory.mktemp("source"), tmp_path_factory.mktemp("wheel")
    for name in PACKAGES:
        shutil.copytree(ROOT / name, home / name, ignore=shutil.ignore_patterns("__pycache__"))
    for name in FILES:
        shutil.copy(ROOT / name, home)
    command = [
        sys.executable,
        "-m",
        "pip",
        "wheel",
        ".",
        "--no-deps",
        "--no-build-isolation",
        "--no-index",
        "-w",
        str(out),
    ]
    done = subprocess.run(command, cwd=home, capture_output=True, text=True, timeout=240)
    assert done.returncode == 0, done.stderr
    (made,) = out.glob("reshoot-*.whl")
    return made


def test_it_holds_every_module_and_data_file(wheel):
    with zipfile.ZipFile(wheel) as archive:
        held = set(archive.namelist())
    kinds = {".py", ".css", ".js", ".jpg", ".json", ".png", ".npz", ".mp4", ".glb"}
    wanted = {
        str(file.relative_to(ROOT))
        for name in PACKAGES
        for file in (ROOT / name).rglob("*")
        if file.suffix in kinds and "__pycache__" not in file.parts and "scripts" not in file.parts
    }
    assert wanted | {"app.py", "reshoot.py"} <= held
    assert not [name for name in held if name.startswith(("tests", "bench", "docs"))]


def test_the_command_and_the_api_run_from_it(wheel, tmp_path):
    with zipfile.ZipFile(wheel) as archive:
        archive.extractall(tmp_path)
    (entries,) = tmp_path.glob("reshoot-*.dist-info/entry_points.txt")
    assert "reshoot = pipelines.__main__:main" in entries.read_text()
    (facts,) = tmp_path.glob("reshoot-*.dist-info/METADATA")
    assert "Requires-Dist: diffusers" in facts.read_text()
    code = (
        "import sys; sys.argv = ['reshoot', 'list']; import reshoot; print(reshoot.__file__)\n"
        "from pipelines.__main__ import main; sys.exit(main(['list']))"
    )
    environment = os.environ | {"PYTHONPATH": str(tmp_path)}
    done = subprocess.run([sys.executable, "-c", code], cwd=tmp_path, env=environment, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    assert done.stdout.startswith(str(tmp_path)) and "gen3c: GEN3C" in done.stdout
