"""Prints the test files affected by changes since a commit: ``python -m tests.changed [COMMIT]``; ``make test-fast`` runs them.

A test file is affected if it was changed itself or imports a changed module by name. Indirect dependencies are left to
``make test``.
"""

from __future__ import annotations

import ast
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parent.parent
ALWAYS = "tests/test_layers.py"


def changed_files(since: str) -> set[str]:
    """Python files that differ from ``since``, new ones included, as paths from the project's root."""
    commands = (["diff", "--name-only", since], ["ls-files", "--others", "--exclude-standard"])
    lines = [subprocess.run(["git", *c], cwd=ROOT, check=True, capture_output=True, text=True).stdout for c in commands]
    return {line for line in "\n".join(lines).splitlines() if line.endswith(".py")}


def imported(file: Path) -> set[str]:
    """Dotted names that ``file`` imports, including names imported from modules, which may be modules too."""
    found = set()
    for node in ast.walk(ast.parse(file.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            found |= {name.name for name in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module:
            found |= {node.module, *(f"{node.module}.{name.name}" for name in node.names)}
    return found


def files_for(changed: set[str], root: Path = ROOT) -> list[str]:
    """Test files below ``root`` that were changed or import a changed file, in order."""
    modules = {name.removesuffix(".py").removesuffix("/__init__").replace("/", ".") for name in changed}
    chosen = {ALWAYS}
    for file in sorted((root / "tests").rglob("test_*.py")):
        name = file.relative_to(root).as_posix()
        if name in changed or imported(file) & modules:
            chosen.add(name)
    return sorted(chosen)


if __name__ == "__main__":
    print("\n".join(files_for(changed_files(sys.argv[1] if len(sys.argv) > 1 else "HEAD"))))
