"""Old module names can still be imported for one version: they give the same module, and a warning with the new name."""

import ast
import importlib
import subprocess
import sys
from pathlib import Path

import pytest

import camera._moved
import pipelines._moved
import tabs._moved

ROOT = Path(__file__).parent.parent
TABLES = {"camera": camera._moved.MODULES, "pipelines": pipelines._moved.MODULES, "tabs": tabs._moved.MODULES}


def module_file(name: str) -> Path | None:
    at = ROOT.joinpath(*name.split("."))
    return next((f for f in (at.with_suffix(".py"), at / "__init__.py") if f.is_file()), None)


def test_every_module_is_where_its_old_name_leads():
    lost = [
        f"{top}.{new}" for top, table in TABLES.items() for new in table.values() if not module_file(f"{top}.{new}")
    ]
    stale = [f"{top}.{old}" for top, table in TABLES.items() for old in table if module_file(f"{top}.{old}")]
    assert (lost, stale) == ([], [])


def test_every_name_is_in_the_module_it_went_to():
    for old, new in pipelines._moved.NAMES.items():
        module, _, name = new.rpartition(".")
        tree = ast.parse(module_file(f"pipelines.{module}").read_text())
        defined = {node.name for node in tree.body if isinstance(node, ast.FunctionDef | ast.ClassDef)}
        assigned = [each for node in tree.body if isinstance(node, ast.Assign) for each in ast.walk(node)]
        assert name in defined | {each.id for each in assigned if isinstance(each, ast.Name)}, old


@pytest.mark.parametrize(
    "old, new",
    [
        ("pipelines.material", "pipelines.inputs.open"),
        ("pipelines.gen3c.vipe", "pipelines.inputs.reconstructions.vipe"),
        ("pipelines.gen3c.method", "pipelines.methods.gen3c.method"),
        ("pipelines.lora.settings", "pipelines.methods.dimensionx.training.settings"),
        ("pipelines.i2v3d.keyframes", "pipelines.methods.i2v3d.keyframes.sampling"),
        ("camera.presets.film", "camera.trajectories.film"),
        ("camera.cache", "camera.cache3d.cache"),
    ],
)
def test_an_old_name_is_the_same_module(old: str, new: str):
    for name in [name for name in sys.modules if name == old]:
        del sys.modules[name]
    with pytest.warns(DeprecationWarning, match=f"{old} is {new} now"):
        found = importlib.import_module(old)
    assert found is importlib.import_module(new)


def test_names_of_old_packages_and_modules_that_were_split():
    code = (
        "from pipelines.gen3c import chunks, vipe; from pipelines.lora import layouts; from camera.presets import film\n"
        "from pipelines.depth import scene_from, depth_of, guessed_layout; from pipelines.runtime.options import offered\n"
        "from pipelines.results import restore\n"
        "from camera.model import read_model; from camera.objects import SceneObject, gltf; from camera.render import render"
    )
    done = subprocess.run([sys.executable, "-W", "ignore", "-c", code], cwd=ROOT, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr


def test_a_take_is_still_drawn_by_its_caller():
    """The former view of the last take, for scripts written before all tabs shared one project."""
    import numpy as np

    from camera.path import CameraPath, pinhole
    from camera.view import Scene, View
    from pipelines import method

    sys.modules.pop("tabs.take", None)
    with pytest.warns(DeprecationWarning, match="tabs.take is tabs.project.project now"):
        take = importlib.import_module("tabs.take")
    view = View.of(np.zeros((72, 128, 3), np.uint8), np.full((72, 128), 2, np.float32), pinhole(128, 72, 55))
    own = CameraPath(np.repeat(np.eye(4)[None], 16, 0), pinhole(128, 72, 40), 128, 72, 3.7)
    known = method("i2v3d")
    rates = [
        take.Take()
        .opened(Scene((view,)))
        .with_own(own)
        .drawn(known, known.moves(frames=n, fps=24.0), take.PATH_FILE)
        .path.fps
        for n in (16, 15)
    ]
    assert rates == [24.0, 24.0]
