"""Layers: each imports only those before it; gradio and spaces are imported only where allowed; startup imports are few."""

import ast
import subprocess
import sys
from collections import Counter
from functools import cache
from graphlib import TopologicalSorter
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
OURS = {"camera", "pipelines", "tabs", "examples", "app", "bench"}
FORBIDDEN = {
    "camera": OURS - {"camera"} | {"gradio", "spaces"},
    "examples": {"tabs", "app", "bench", "gradio", "spaces"},
    "pipelines": {"tabs", "app", "gradio"},
}
FLOORS = (
    ("media", "weights", "splats"),
    ("viewer",),
    ("estimation",),
    ("inputs",),
    ("results",),
    ("project",),
    ("runtime",),
    ("methods",),
    ("reconstruct", "pack"),
    ("cli",),
)
"""Folders of pipelines/, lowest level first: each imports only those below it."""
MOST_MODULES = 12


def module_of(file: Path) -> str:
    return ".".join(file.relative_to(ROOT).with_suffix("").parts).removesuffix(".__init__")


def modules() -> dict[str, Path]:
    """Every module of the app by its dotted name."""
    return {module_of(file): file for layer in ("camera", "pipelines", "tabs") for file in (ROOT / layer).rglob("*.py")}


@cache
def import_statements(file: Path) -> tuple[ast.Import | ast.ImportFrom, ...]:
    """The import statements of a file, anywhere in it, without relative ones; each file is read once for all tests here."""
    nodes = ast.walk(ast.parse(file.read_text()))
    return tuple(
        node for node in nodes if isinstance(node, ast.Import) or (isinstance(node, ast.ImportFrom) and node.level == 0)
    )


def imported(file: Path, known: dict[str, Path]) -> set[str]:
    """Our own modules that a file imports, anywhere in it."""
    found = set()
    for node in import_statements(file):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        else:
            names = {f"{node.module}.{alias.name}" for alias in node.names}
            found |= {name if name in known else str(node.module) for name in names}
    return found & set(known)


def test_no_modules_import_each_other():
    """Imports inside functions count too: a module imported late is still a dependency."""
    known = modules()
    TopologicalSorter({name: imported(file, known) - {name} for name, file in known.items()}).prepare()


def floor_of(module: str) -> int | None:
    """The level of a module within pipelines/ (see `FLOORS`); None for modules shared by all levels (records, settings) and for other layers."""
    parts = module.split(".")
    if parts[0] != "pipelines" or len(parts) < 2:
        return None
    return next((level for level, names in enumerate(FLOORS) if parts[1] in names), None)


def test_a_floor_of_pipelines_imports_only_those_below_it():
    known = modules()
    upwards = [
        f"{name} imports {other}"
        for name, file in known.items()
        for other in imported(file, known)
        if (here := floor_of(name)) is not None and (there := floor_of(other)) is not None and there > here
    ]
    assert upwards == []


def test_no_method_imports_another():
    known = modules()
    methods = {name: name.split(".")[2] for name in known if name.startswith("pipelines.methods.")}
    strangers = [
        f"{name} imports {other}"
        for name, method in methods.items()
        for other in imported(known[name], known)
        if methods.get(other, method) != method
    ]
    assert strangers == []


def test_a_folder_holds_at_most_a_dozen_modules():
    folders = {
        file.parent
        for layer in ("camera", "pipelines", "tabs", "bench", "tests")
        for file in (ROOT / layer).rglob("*.py")
    }
    crowded = {
        str(folder.relative_to(ROOT)): count
        for folder in folders
        if (count := sum(file.name not in ("__init__.py", "conftest.py") for file in folder.glob("*.py")))
        > MOST_MODULES
    }
    assert crowded == {}


def test_all_tests_can_run_in_one_process():
    """In a folder that is not a package, pytest imports files by their bare names: two files of the same name break `make test-fast`."""
    files = [file for file in (ROOT / "tests").rglob("*.py") if not (file.parent / "__init__.py").exists()]
    names = Counter(file.name for file in files if file.name != "conftest.py")
    assert [name for name, count in names.items() if count > 1] == []


def imports(file: Path) -> set[str]:
    """Top-level packages that a file imports, anywhere in it."""
    found = set()
    for node in import_statements(file):
        names = [alias.name for alias in node.names] if isinstance(node, ast.Import) else [str(node.module)]
        found |= {name.split(".")[0] for name in names}
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
