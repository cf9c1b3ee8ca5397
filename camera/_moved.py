"""Old names of the modules of `camera`, and the import finder that resolves them for one more version.

Importing an old name works, with a `DeprecationWarning` that gives the new name. Remove this in the next version.
"""

from __future__ import annotations

import sys
import warnings
from collections.abc import Callable, Mapping
from importlib import import_module
from importlib.abc import Loader, MetaPathFinder
from importlib.machinery import ModuleSpec
from importlib.util import find_spec
from types import ModuleType
from typing import Any

MODULES: dict[str, str] = {
    old: new
    for old, new in map(
        str.split,
        """
alignment cache3d.depth_alignment
cache cache3d.cache
compiled kernel
dots render.point_discs
figureobjects figure.objects
fill render.inpaint
formats.blender formats.film.blender
formats.dualcamctrl formats.research.dualcamctrl
formats.i2v3d formats.research.i2v3d
foreground cache3d.occlusion
formats.own formats.reshoot
gltf objects.gltf
gltffile objects.glb
gridmesh render.depth_mesh
interpolate trajectories.keyframes
keys render.framebuffer
mesh render.triangles
meshfile objects.obj_ply
metrics evaluation.paths
model objects.model
modelfiles objects.bundle
objectfile objects.archive
opengl render.opengl
points unproject
presets trajectories
presets.dimensionx trajectories.dimensionx
presets.dualcamctrl trajectories.dualcamctrl
presets.film trajectories.film
presets.gen3c trajectories.gen3c
presets.genxd trajectories.genxd
presets.genxd_fits trajectories.genxd_fits
presets.i2v3d trajectories.i2v3d
reference render.reference_warp
reliability depth_edges
render.occlusion cache3d.occlusion
splat render.forward_splat
surface objects.surface
timeline trajectories.film_script
zbuffer render.zbuffer
""".strip().splitlines(),
    )
}
"""Old and new module names, both relative to `camera`."""


class _Finder(MetaPathFinder, Loader):
    """Imports modules by their old names. ``names``: old and new dotted names of objects that moved to another module."""

    def __init__(self, modules: Mapping[str, str], names: Mapping[str, str]) -> None:
        self.modules, self.names = modules, names

    def find_spec(self, fullname: str, path: Any = None, target: Any = None) -> ModuleSpec | None:
        return ModuleSpec(fullname, self) if fullname in self.modules else None

    def exec_module(self, module: ModuleType) -> None:
        old, new = module.__name__, self.modules[module.__name__]
        warnings.warn(f"{old} is {new} now; the old name goes with the next version.", DeprecationWarning, stacklevel=2)
        there = import_module(new)
        moved = {name.rpartition(".")[2]: place for name, place in self.names.items() if name.rpartition(".")[0] == old}

        def get(name: str) -> Any:
            place, _, called = moved.get(name, f"{new}.{name}").rpartition(".")
            return getattr(import_module(place), called)

        if moved:
            module.__dict__["__getattr__"] = get
        else:
            sys.modules[old] = there


def install(top: str, modules: Mapping[str, str], names: Mapping[str, str]) -> None:
    """Make the old ``modules`` and ``names`` below the package ``top`` importable.

    The first finder runs before Python's own, which would load modules of a renamed package a second time under the old
    name. The second handles ``from old_package import module``, which Python looks up by the package's new name.
    """
    table = {f"{top}.{old}": f"{top}.{new}" for old, new in modules.items()}
    places = {f"{top}.{old}": f"{top}.{new}" for old, new in names.items()}
    inside = {}
    for old, new in table.items():
        package, _, leaf = old.rpartition(".")
        if package in table:
            inside[f"{table[package]}.{leaf}"] = new
    sys.meta_path.insert(0, _Finder(table, places))
    sys.meta_path.append(_Finder(inside, {}))


def attributes(package: str, *modules: str) -> Callable[[str], Any]:
    """``__getattr__`` for a package that used to be a module: looks a name up in the package's ``modules`` and returns the first match."""

    def get(name: str) -> Any:
        if not name.startswith("__") and find_spec(f"{package}.{name}") is None:  # else a submodule: Python imports it
            for module in modules:
                there = import_module(f"{package}.{module}")
                if hasattr(there, name):
                    warnings.warn(f"{package}.{name} is in {there.__name__} now.", DeprecationWarning, stacklevel=2)
                    return getattr(there, name)
        raise AttributeError(f"module {package!r} has no attribute {name!r}")

    return get
