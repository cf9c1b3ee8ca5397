"""The five methods in their order, then others; a package's method is found by its entry point and cannot break the rest."""

import subprocess
import sys
from pathlib import Path

import pytest

from camera.errors import InputError
from pipelines import registry
from pipelines.method import Method

ROOT = Path(__file__).parents[2]
TESTS = ROOT / "tests"
ENTRIES = """[reshoot.methods]
toy = toy_method:TOY
broken = no_such_package.method:METHOD
other = toy_method:TOY
gen3c = toy_method:TOY
"""
READ = """
import logging
logging.basicConfig(format="%(message)s")
from pipelines import registry
from pipelines.__main__ import main
print(registry.NAMES[:5], registry.ALSO[-3:], [one.title for one in registry.records(("gen3c", "toy", "other", "broken"))])
for name in ("other", "broken"):
    try:
        registry.method(name)
    except registry.InputError as error:
        print(error)
main(["list"])
"""


def test_the_five_come_first_and_every_folder_with_a_record_is_a_method():
    folders = {file.parent.name for file in (ROOT / "pipelines" / "methods").glob("*/method.py")}
    assert registry.NAMES[:5] == ("gen3c", "genxd", "dimensionx", "i2v3d", "dualcamctrl")
    assert set(registry.NAMES) >= folders and registry.NAMES[5:] == registry.ALSO
    for name in registry.NAMES:
        assert isinstance(registry.method(name), Method) and registry.method(name).name == name
    with pytest.raises(KeyError):
        registry.method("no such method")


def test_a_method_of_another_package_is_offered_and_a_broken_one_is_said(tmp_path: Path):
    dist = tmp_path / "toys-1.0.dist-info"
    dist.mkdir()
    (dist / "METADATA").write_text("Metadata-Version: 2.1\nName: toys\nVersion: 1.0\n")
    (dist / "entry_points.txt").write_text(ENTRIES)
    code = f"import sys; sys.path[:0] = [{str(tmp_path)!r}, {str(TESTS)!r}]\n{READ}"
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, timeout=300)
    assert done.returncode == 0, done.stderr
    names, other, broken, *listed = done.stdout.splitlines()
    assert "('gen3c', 'genxd', 'dimensionx', 'i2v3d', 'dualcamctrl')" in names and "['GEN3C', 'Toy']" in names
    assert "('broken', 'other', 'toy')" in names
    assert "no record with this name" in other and "no_such_package" in broken
    assert listed.index("Also:") > listed.index("dualcamctrl: DualCamCtrl") and "toy: Toy" in listed
    assert "'gen3c' of toy_method:TOY is left out" in done.stderr and "The method broken" in done.stderr


def test_the_error_of_a_package_is_an_input_error():
    entry = registry.EntryPoint("gone", "no_such_package:METHOD", registry.GROUP)
    with pytest.raises(InputError, match="no_such_package"):
        registry._load_record(entry)
