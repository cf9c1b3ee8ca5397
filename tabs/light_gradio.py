"""Imports gradio without the parts that this app does not need, in half the time and a third of the memory.

On every import Gradio 6 compares the type stub of each of its 81 components with its source (1.2 of 2.3 s of CPU time), for
editors. It imports pandas (40 MB) for tables and plots that this page does not have, and its own and httpx's command lines
(10 MB), which a server does not need. After every event it also makes a pandas table of all events so far, for a page of
statistics that nobody opens here: 20 ms of CPU time each.
"""

from __future__ import annotations

import gc
import os
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from importlib import import_module
from importlib.abc import Loader, MetaPathFinder
from importlib.machinery import ModuleSpec, PathFinder
from threading import RLock
from types import ModuleType
from typing import Any

_STUBS = "gradio.component_meta"
_LATER: dict[str, tuple[str, ...]] = {"pandas": (), "gradio.cli": ("deploy",)}
"""Modules that are loaded on first use, and their functions that gradio imports by name."""
_STATISTICS = "GRADIO_ANALYTICS_CACHE_FREQUENCY"
_EVENTS_BETWEEN_STATISTICS = "1000"
_NEVER = "httpx._main"
"""httpx includes its command line only if this module can be imported; it would load rich, click and pygments."""


@contextmanager
def light_gradio() -> Iterator[None]:
    """A context in which gradio is imported without writing stubs, and pandas and command lines are loaded on first use.

    If gradio is already imported, this has no effect. Objects created by imports are permanent, so they need no garbage collection.
    """
    finder, collecting = _Finder(), gc.isenabled()
    os.environ.setdefault(_STATISTICS, _EVENTS_BETWEEN_STATISTICS)
    sys.meta_path.insert(0, finder)
    gc.disable()
    try:
        yield
    finally:
        sys.meta_path.remove(finder)
        if collecting:
            gc.enable()


class _Finder(MetaPathFinder):
    def find_spec(self, fullname: str, path=None, target: ModuleType | None = None) -> ModuleSpec | None:
        if fullname == _NEVER:
            raise ModuleNotFoundError("httpx is used without its command line here", name=fullname)
        if fullname != _STUBS and fullname not in _LATER:
            return None
        spec = PathFinder.find_spec(fullname, path, target)
        if spec is None or spec.loader is None:
            return None
        if fullname in _LATER:
            spec.loader = _LazyLoader(spec.loader)
            return spec
        run = spec.loader.exec_module

        def without_stubs(module: ModuleType) -> None:
            run(module)
            if hasattr(module, "create_or_modify_pyi"):
                vars(module)["create_or_modify_pyi"] = _no_stub

        spec.loader.exec_module = without_stubs  # type: ignore[method-assign]
        return spec


class _LazyLoader(Loader):
    """Creates a module that the loader ``real`` executes on first attribute access.

    `importlib.util.LazyLoader` does the same, but before Python 3.11.9 a second thread may see an incomplete module.
    """

    def __init__(self, real: Loader) -> None:
        self.real = real

    def create_module(self, spec: ModuleSpec) -> ModuleType:
        return _LazyModule(spec.name)

    def exec_module(self, module: ModuleType) -> None:
        vars(module)["__loading__"] = _Loading(self.real)
        named = _LATER[module.__name__]
        vars(module).update({name: _calls(module.__name__, name) for name in named})
        if not named:
            del module.__path__  # so that importing a submodule triggers loading, too


def _calls(module: str, name: str) -> Callable[..., Any]:
    """A function that loads a module and then calls its function."""

    def called(*given: Any, **named: Any) -> Any:
        return getattr(_filled(import_module(module)), name)(*given, **named)

    return called


class _Loading:
    """``lock``: held by the thread that loads the module, the only one that may see it incomplete."""

    def __init__(self, real: Loader) -> None:
        self.real, self.lock, self.begun = real, RLock(), False


class _LazyModule(ModuleType):
    def __getattr__(self, name: str) -> Any:
        loading: _Loading | None = vars(self).get("__loading__")
        if loading is None:
            raise AttributeError(f"module {self.__name__!r} has no attribute {name!r}")
        spec = self.__spec__
        assert spec is not None
        with loading.lock:
            _fill(self, loading)
            if name == "__path__":  # the loading thread's own imports: other threads wait above
                return spec.submodule_search_locations
            if name in vars(self):
                return vars(self)[name]
        return ModuleType.__getattribute__(self, name)


def _fill(module: ModuleType, loading: _Loading) -> None:
    """Load the module, once; the caller holds the lock."""
    spec = module.__spec__
    if loading.begun or spec is None:
        return
    loading.begun = True
    spec.loader = module.__loader__ = loading.real
    loading.real.exec_module(module)
    module.__path__ = spec.submodule_search_locations or []
    module.__class__ = ModuleType  # type: ignore[assignment]


def _filled(module: ModuleType) -> ModuleType:
    """Load the module and return it."""
    loading: _Loading | None = vars(module).get("__loading__")
    if loading is not None:
        with loading.lock:
            _fill(module, loading)
    return module


def _no_stub(component_class: type, class_name: str, events: list) -> None:
    """Replacement of gradio's function that writes type stubs."""
