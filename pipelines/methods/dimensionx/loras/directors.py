"""Directors as adapters of one transformer: found by name in a repository, loaded strictly, weighted and never fused.

Upstream fuses them into the base weights. That leaves rounding errors and multiplies scales when repeated, so directors could
not be exchanged within a session. Adapter weights have the same effect without changing the base.
"""

from __future__ import annotations

import re
from collections import OrderedDict
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace

from diffusers.models.transformers.cogvideox_transformer_3d import CogVideoXTransformer3DModel

from camera.errors import InputError
from camera.trajectories.dimensionx import DIRECTORS
from pipelines.methods.dimensionx.loras.layouts import NETWORK, LoraFile, check_fits, configuration

RESIDENT = 3
"""Adapters kept in the transformer; each is 0.53 GB at full size."""

REPOSITORY = {
    **{id: "basic" for id, each in DIRECTORS.items() if each.group in ("translation", "rotation")},
    **{id: "orbit" for id, each in DIRECTORS.items() if each.group == "orbit"},
    "t_director": "time",
}
"""Checkpoint key by director; the 360 degree orbit is a separate model, not a LoRA file."""

_ALIASES = {
    "z_zoom_in": ("zoom_in", "dolly_in"),
    "z_zoom_out": ("zoom_out", "dolly_out"),
    "pan_rotation_left": ("rotation_left", "roll_left"),
    "pan_rotation_right": ("rotation_right", "roll_right"),
    "pan_up": ("tilt_up",),
    "pan_down": ("tilt_down",),
    "t_director": ("t_director", "temporal", "tdirector"),
}


@dataclass(frozen=True)
class DirectorFile:
    """A file of a director repository. ``degrees``: the angle in its name (``orbit_up_45_...``), if any."""

    file: str
    director: str
    degrees: float | None


def identify_files(files: Iterable[str]) -> list[DirectorFile]:
    """The director of each LoRA file in a repository, from its file name; skips files of unknown motions."""
    found = []
    for file in files:
        if file.endswith(".safetensors"):
            words = "_" + re.sub(r"[^a-z0-9]+", "_", file.rsplit("/", 1)[-1].lower()) + "_"
            names = [(name, id) for id in DIRECTORS for name in (id, *_ALIASES.get(id, ())) if f"_{name}_" in words]
            if names:
                name, id = max(names, key=lambda pair: len(pair[0]))
                angle = re.search(rf"_{name}_(\d+)_", words)
                found.append(DirectorFile(file, id, float(angle[1]) if angle else None))
    return found


def find_file(director: str, files: Sequence[str]) -> DirectorFile:
    """The file of ``director`` in a repository's listing; raises `InputError` that lists the LoRA files there.

    A repository with a single LoRA whose name contains no motion is assumed to be the T-Director's.
    """
    matching = [each for each in identify_files(files) if each.director == director]
    loras = [file for file in files if file.endswith(".safetensors")]
    if len(matching) == 1:
        return matching[0]
    if director == "t_director" and len(loras) == 1:
        return DirectorFile(loras[0], director, None)
    available = ", ".join(loras) or "no LoRA at all"
    found = "several files" if matching else "no file"
    raise InputError(
        f"The repository has {found} for {DIRECTORS[director].title!r}; it contains {available}. Give the LoRA as a file."
    )


class Directors:
    """The adapters of one transformer: loads them on first use, keeps the last `RESIDENT` of them, and switches between steps."""

    def __init__(self, transformer: CogVideoXTransformer3DModel, read: Callable[[str], LoraFile]) -> None:
        """``read`` loads a director's file by id (or the user's own file by its path), in the compute dtype."""
        self._transformer = transformer
        self._read = read
        self._loaded: OrderedDict[str, LoraFile] = OrderedDict()
        if getattr(transformer, "peft_config", None):
            transformer.unload_lora()

    def load(self, ids: Sequence[str]) -> None:
        """Load adapters and evict the least recently used; `use` can then switch without loading."""
        for id in list(self._loaded):
            if _adapter(id) not in getattr(self._transformer, "peft_config", {}):  # removed by a training
                del self._loaded[id]
        for id in ids:
            if id not in self._loaded:
                self._add(id)
            self._loaded.move_to_end(id)
        for id in list(self._loaded)[: -max(RESIDENT, len(ids))]:
            self._transformer.delete_adapters(_adapter(id))
            del self._loaded[id]

    def use(self, weights: Sequence[tuple[str, float]]) -> None:
        """Activate only these adapters; weight 1 is the trained strength. Empty: the base model."""
        if not weights:
            if self._loaded:
                self._transformer.disable_adapters()
            return
        self.load([id for id, _ in weights])
        self._transformer.enable_adapters()
        self._transformer.set_adapters([_adapter(id) for id, _ in weights], [weight for _, weight in weights])

    def about(self, id: str) -> LoraFile | None:
        """Metadata of a loaded file; its matrices are in the transformer."""
        return self._loaded.get(id)

    def unload(self) -> None:
        """Restore the base transformer, bit for bit."""
        if self._loaded:
            self._transformer.unload_lora()
            self._loaded.clear()

    def _add(self, id: str) -> None:
        lora = self._read(id)
        check_fits(lora, self._transformer, complete=id in DIRECTORS)
        prefixed = {f"{NETWORK}.{key}": value for key, value in lora.tensors.items()}
        about = {**configuration(lora), "target_modules": sorted(lora.modules)}
        self._transformer.load_lora_adapter(
            prefixed, adapter_name=_adapter(id), low_cpu_mem_usage=True,
            metadata={f"{NETWORK}.{key}": value for key, value in about.items()},
        )  # fmt: skip
        loaded = layers_with(self._transformer, _adapter(id))
        if loaded != len(lora.modules):
            raise RuntimeError(f"{lora.name}: {len(lora.modules)} layers in the file, {loaded} in the network")
        self._loaded[id] = replace(lora, tensors={})


def layers_with(transformer: CogVideoXTransformer3DModel, adapter: str) -> int:
    """Number of the network's layers that have the adapter."""
    return sum(adapter in getattr(module, "lora_A", ()) for module in transformer.modules())


def _adapter(id: str) -> str:
    return "director_" + re.sub(r"\W+", "_", id)
