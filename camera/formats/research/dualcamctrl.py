"""DualCamCtrl's ``.torch`` camera files: ``{"cameras": float32 (N,18)}``, rows as in `camera.formats.realestate10k`."""

from __future__ import annotations

import io
import zipfile
from collections.abc import Mapping

import numpy as np

from camera.errors import InputError, reading
from camera.formats import realestate10k
from camera.formats.account import Account
from camera.formats.parsing import LARGEST_UNPACKED, MOST_FRAMES, field, numbers
from camera.path import CameraPath


def read(data: bytes, name: str, like: CameraPath | None, account: Account) -> CameraPath:
    """Read the cameras, unpickling nothing but tensors. The rate comes from ``like``, or is 24."""
    import torch

    _check_container(data, name)
    with reading(f"{name} holds more than tensors, or is damaged; save {{'cameras': tensor}} again."):
        values = torch.load(io.BytesIO(data), map_location="cpu", weights_only=True)
    if isinstance(values, list) and len(values) == 1:
        values = values[0]
    values = account.fields(values) if isinstance(values, Mapping) else values
    cameras = field(values, "cameras", name)
    if not isinstance(cameras, torch.Tensor) or cameras.ndim != 2 or cameras.is_complex():
        raise InputError(f"'cameras' of {name} should be a tensor of shape Nx18.")
    if not 1 <= len(cameras) <= MOST_FRAMES:
        raise InputError(f"'cameras' of {name} should hold 1 to {MOST_FRAMES} cameras, got {len(cameras)}.")
    rows = numbers(cameras.double().numpy(), (-1, 18), f"'cameras' of {name}")
    return realestate10k.path_of(rows, name, like, account)


def write(path: CameraPath) -> bytes:
    import torch

    buffer = io.BytesIO()
    rows = realestate10k.rows_of(path, "DualCamCtrl").astype(np.float32)
    torch.save({"cameras": torch.from_numpy(rows)}, buffer)
    return buffer.getvalue()


def _check_container(data: bytes, name: str) -> None:
    """Require a zip of bounded size, as torch saves since version 1.6."""
    with (
        reading(f"{name} is no file of torch.save (version 1.6 or later); save it again."),
        zipfile.ZipFile(io.BytesIO(data)) as archive,
    ):
        total = sum(entry.file_size for entry in archive.infolist())
    if total > LARGEST_UNPACKED:
        raise InputError(f"{name} unpacks to more than {LARGEST_UNPACKED >> 20} MB; keep only its cameras.")
