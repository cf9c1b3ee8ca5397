"""Imports gradio without the parts that this app does not need: half the time and a third of the memory.

Gradio 6 compares the type stub of each of its 81 components with its source on every import (1.2 of 2.3 s of processor
time), for editors, and imports pandas (40 MB) for tables and plots that this page has none of.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from importlib.abc import Loader, MetaPathFinder
from importlib.machinery import ModuleSpec, PathFinder
from threading import RLock
from types import ModuleType
from typing import Any

_STUBS, _LATER = "gradio.component_meta", "pandas"


@contextmanager
def light_gradio() -> Iterator[None]:
    """A context in which gradio is imported without writing stubs, and pandas is loaded on first use.

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
            spec.loader = _WhenAsked(spec.loader)
            return spec
        run = spec.loader.exec_module

        def without_stubs(module: ModuleType) -> None:
            run(module)
            if hasattr(module, "create_or_modify_pyi"):
                vars(module)["create_or_modify_pyi"] = _no_stub

        spec.loader.exec_module = without_stubs  # type: ignore[method-assign]
        return spec


class _WhenAsked(Loader):
    """Makes a module that is filled by ``real`` when it is first asked for something.

    `importlib.util.LazyLoader` does the same, but before Python 3.11.9 a second thread may see the module half filled.
    """

    def __init__(self, real: Loader) -> None:
        self.real = real

    def create_module(self, spec: ModuleSpec) -> ModuleType:
        return _Unfilled(spec.name)

    def exec_module(self, module: ModuleType) -> None:
        vars(module)["__filling__"] = _Filling(self.real)
        del module.__path__  # so that an import of a part of it asks, too


class _Filling:
    """``lock``: held by the thread that fills the module, which alone may find it incomplete."""

    def __init__(self, real: Loader) -> None:
        self.real, self.lock, self.begun = real, RLock(), False


class _Unfilled(ModuleType):
    def __getattr__(self, name: str) -> Any:
        filling: _Filling | None = vars(self).get("__filling__")
        if filling is None:
            raise AttributeError(f"module {self.__name__!r} has no attribute {name!r}")
        spec = self.__spec__
        assert spec is not None
        with filling.lock:
            if not filling.begun:
                filling.begun = True
                spec.loader = self.__loader__ = filling.real
                filling.real.exec_module(self)
                self.__path__ = spec.submodule_search_locations or []
                self.__class__ = ModuleType  # type: ignore[assignment]
            if name == "__path__":  # the filling thread's own imports: other threads wait above
                return spec.submodule_search_locations
            if name in vars(self):
                return vars(self)[name]
        return ModuleType.__getattribute__(self, name)


def _no_stub(component_class: type, class_name: str, events: list) -> None:
    """Replacement of gradio's function that writes type stubs."""
