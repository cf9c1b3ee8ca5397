"""Reads the tensors of a TorchScript archive without executing any of its code.

`torch.jit.load` interprets the archive's code. Only its parameters are needed, so the module tree in ``data.pkl`` is read by
an unpickler that accepts only tensors, plain containers and inert stand-ins for the archive's classes.
"""

from __future__ import annotations

import pickle
import zipfile
from collections import OrderedDict
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from camera.errors import InputError, reading

_DTYPES = {
    "FloatStorage": torch.float32,
    "DoubleStorage": torch.float64,
    "HalfStorage": torch.float16,
    "BFloat16Storage": torch.bfloat16,
    "LongStorage": torch.int64,
    "IntStorage": torch.int32,
    "BoolStorage": torch.bool,
}
MAX_BYTES = 4 << 30
"""Largest accepted archive, in bytes: the published tokenizer halves have a few hundred megabytes."""


def read_torchscript(path: str | Path) -> dict[str, Tensor]:
    """Parameters and buffers by dotted name, on the CPU; raises `InputError` for anything but a TorchScript archive."""
    name = Path(path).name
    with (
        reading(f"{name} is damaged or incomplete; delete it and download it again."),
        zipfile.ZipFile(path) as archive,
    ):
        if sum(entry.file_size for entry in archive.infolist()) > MAX_BYTES:
            raise InputError(f"{name} unpacks to more than {MAX_BYTES >> 30} GiB; it is not the expected network.")
        pickled = next((entry for entry in archive.namelist() if entry.endswith("/data.pkl")), None)
        if pickled is None:
            raise InputError(f"{name} is not a TorchScript archive; download it again.")
        try:
            with archive.open(pickled) as stream:
                root = _TensorUnpickler(stream, archive, pickled.removesuffix("data.pkl")).load()
        except pickle.UnpicklingError as error:
            raise InputError(f"{name} contains more than a network and is not opened: {error}.") from error
    return dict(_tensors(root, ""))


class _Module:
    """Replaces every class that the archive defines: has attributes but no behaviour."""

    def __setstate__(self, state: dict[str, Any]) -> None:
        self.attributes = state


class _TensorUnpickler(pickle.Unpickler):
    def __init__(self, stream: Any, archive: zipfile.ZipFile, folder: str) -> None:
        super().__init__(stream)
        self._archive, self._folder = archive, folder

    def find_class(self, module: str, name: str) -> Any:
        if module.startswith("__torch__"):
            return _Module
        if (module, name) == ("torch", name) and name in _DTYPES:
            return name
        known = _KNOWN.get((module, name))
        if known is None:
            raise pickle.UnpicklingError(f"it names {module}.{name}")
        return known

    def persistent_load(self, identifier: Any) -> Tensor:
        kind, storage, key, _, count = identifier
        if kind != "storage" or not str(key).isalnum():
            raise pickle.UnpicklingError(f"it refers to a {kind}")
        content = self._archive.read(f"{self._folder}data/{key}")
        tensor = torch.frombuffer(bytearray(content), dtype=_DTYPES[storage]) if content else torch.empty(0)
        if len(tensor) != count:
            raise ValueError("a tensor is cut short")
        return tensor


def _tensor(storage: Tensor, offset: int, size: tuple[int, ...], stride: tuple[int, ...], *_: Any) -> Tensor:
    return storage.as_strided(tuple(size), tuple(stride), offset).clone()


def _first(value: Any, *_: Any) -> Any:
    return value


_KNOWN = {
    ("torch._utils", "_rebuild_tensor_v2"): _tensor,
    ("torch._utils", "_rebuild_parameter"): _first,
    ("torch.jit._pickle", "build_intlist"): _first,
    ("torch.jit._pickle", "build_doublelist"): _first,
    ("torch.jit._pickle", "build_boollist"): _first,
    ("torch.jit._pickle", "build_tensorlist"): _first,
    ("torch.jit._pickle", "restore_type_tag"): _first,
    ("collections", "OrderedDict"): OrderedDict,
    ("torch", "device"): _first,
}


def _tensors(value: Any, prefix: str) -> Iterator[tuple[str, Tensor]]:
    """Tensors that are attributes of modules; lists and plain values inside a module are not parameters."""
    if isinstance(value, Tensor):
        yield prefix, value
    elif isinstance(value, _Module):
        for name, inner in getattr(value, "attributes", {}).items():
            yield from _tensors(inner, f"{prefix}.{name}" if prefix else name)
