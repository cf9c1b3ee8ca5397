"""Importing gradio without what this app never needs of it: half the seconds and a third of the memory.

Gradio 6 compares the type stub of each of its 81 components with its source on every import (1.2 of 2.3 s of processor
time), for editors, and imports pandas (40 MB) for tables and plots that this page has none of.
"""

from __future__ import annotations

import importlib.util
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from importlib.abc import MetaPathFinder
from importlib.machinery import ModuleSpec, PathFinder
from types import ModuleType

_STUBS, _LATER = "gradio.component_meta", "pandas"


@contextmanager
def light_gradio() -> Iterator[None]:
    """While it lasts, gradio is imported without writing stubs, and pandas is loaded when something first asks it.

    Where gradio is imported already, nothing changes.
    """
    finder = _Finder()
    sys.meta_path.insert(0, finder)
    try:
        yield
    finally:
        sys.meta_path.remove(finder)


class _Finder(MetaPathFinder):
    def find_spec(self, fullname: str, path=None, target: ModuleType | None = None) -> ModuleSpec | None:
        if fullname not in (_STUBS, _LATER):
            return None
        spec = PathFinder.find_spec(fullname, path, target)
        if spec is None or spec.loader is None:
            return None
        if fullname == _LATER:
            spec.loader = importlib.util.LazyLoader(spec.loader)
            return spec
        run = spec.loader.exec_module

        def without_stubs(module: ModuleType) -> None:
            run(module)
            if hasattr(module, "create_or_modify_pyi"):
                vars(module)["create_or_modify_pyi"] = _no_stub

        spec.loader.exec_module = without_stubs  # type: ignore[method-assign]
        return spec


def _no_stub(component_class: type, class_name: str, events: list) -> None:
    """In place of the function that writes a stub."""
