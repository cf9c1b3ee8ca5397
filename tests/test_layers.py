"""The layers hold: each imports only those before it, gradio and spaces stay in their places, starting is light."""

import ast
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
OURS = {"camera", "pipelines", "tabs", "examples", "app", "bench"}
FORBIDDEN = {
    "camera": OURS - {"camera"} | {"gradio", "spaces"},
    "examples": {"tabs", "app", "bench", "gradio", "spaces"},
    "pipelines": {"tabs", "app", "gradio"},
}


def imports(file: Path) -> set[str]:
    """Top-level packages that a file imports, anywhere in it."""
    found = set()
    for node in ast.walk(ast.parse(file.read_text())):
        if isinstance(node, ast.Import):
            found |= {alias.name.split(".")[0] for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module and node.level == 0:
            found.add(node.module.split(".")[0])
    return found


@pytest.mark.parametrize("layer", FORBIDDEN)
def test_a_layer_imports_only_those_before_it(layer):
    wrong = {str(file): imports(file) & FORBIDDEN[layer] for file in (ROOT / layer).rglob("*.py")}
    assert {file: names for file, names in wrong.items() if names} == {}


def test_spaces_is_imported_in_one_file():
    files = [*ROOT.glob("*.py"), *(file for layer in OURS for file in (ROOT / layer).rglob("*.py"))]
    assert len([file for file in files if "spaces" in imports(file)]) <= 1


def test_opening_the_app_imports_nothing_heavy():
    code = "import app, sys; app.build(); print([m for m in ('torch', 'diffusers', 'transformers', 'numba') if m in sys.modules])"
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, timeout=120)
    assert done.returncode == 0, done.stderr
    assert done.stdout.strip().splitlines()[-1] == "[]"
