"""The device that networks run on, and its memory."""

from __future__ import annotations

import gc
import os
import sys
import threading
from collections.abc import Iterable
from itertools import chain
from pathlib import Path

import psutil
import torch
from torch import nn

_CGROUP = Path("/sys/fs/cgroup")
NICER = 5
"""Priority reduction of a shot on a CPU: previews take a few milliseconds, shots minutes."""


class Device:
    """One GPU, or the CPU if there is none. Tests replace it with a smaller one."""

    def __init__(self, name: str | None = None) -> None:
        self.torch = torch.device(name or _best())
        self._peak = 0

    @property
    def is_gpu(self) -> bool:
        return self.torch.type == "cuda"

    @property
    def label(self) -> str:
        """The device's name for the user: the GPU's name, or the CPU with its cores."""
        if self.is_gpu:
            return torch.cuda.get_device_name(self.torch)
        return f"processor with {os.cpu_count()} cores"

    def total_bytes(self) -> int:
        if self.is_gpu:
            return torch.cuda.get_device_properties(self.torch).total_memory
        return psutil.virtual_memory().total

    def free_bytes(self) -> int:
        """Bytes that a new job could use, including memory that torch has cached."""
        if self.is_gpu:
            free, _ = torch.cuda.mem_get_info(self.torch)
            return free + torch.cuda.memory_reserved(self.torch) - torch.cuda.memory_allocated(self.torch)
        return self.main_memory_bytes()

    def main_memory_bytes(self) -> int:
        """Bytes of main memory that this process could still use, considering a container's limit."""
        return min(psutil.virtual_memory().available, _cgroup_room())

    def bytes_of(self, networks: Iterable[nn.Module]) -> int:
        """Bytes of the networks' tensors that are on this device now."""
        return sum(
            tensor_bytes(tensor)
            for network in networks
            for tensor in chain(network.parameters(), network.buffers())
            if tensor.device.type == self.torch.type
        )

    def start_peak(self) -> None:
        """Restart the measurement of peak memory."""
        if self.is_gpu:
            torch.cuda.reset_peak_memory_stats(self.torch)
        self._peak = 0

    def peak_bytes(self) -> int:
        """Peak bytes since `start_peak`: memory allocated on a GPU, else the largest process memory at any call of this function."""
        if self.is_gpu:
            return torch.cuda.max_memory_allocated(self.torch)
        self._peak = max(self._peak, psutil.Process().memory_info().rss)
        return self._peak

    def tidy(self) -> None:
        """Free unreferenced memory."""
        gc.collect()
        if self.is_gpu:
            torch.cuda.empty_cache()

    def step_back(self) -> None:
        """On a CPU, lower the priority of this thread and its workers below that of interactive work."""
        if not self.is_gpu and sys.platform == "linux":
            here = threading.get_native_id()
            os.setpriority(os.PRIO_PROCESS, here, os.getpriority(os.PRIO_PROCESS, here) + NICER)

    def finish(self) -> None:
        """Synchronise with the device, so that timings are correct."""
        if self.is_gpu:
            torch.cuda.synchronize(self.torch)


def tensor_bytes(tensor: torch.Tensor) -> int:
    """Bytes that a tensor really occupies; an 8-bit tensor with a scale reports its unquantised size otherwise."""
    if not hasattr(tensor, "__tensor_flatten__"):
        return tensor.nbytes
    names, _ = tensor.__tensor_flatten__()  # type: ignore[attr-defined]
    return sum(getattr(tensor, name).nbytes for name in names)


def _best() -> str:
    return "cuda" if torch.cuda.is_available() else "cpu"


def _cgroup_room() -> int:
    """Bytes left under a container's memory limit; a very large number if there is no limit."""
    try:
        limit = int((_CGROUP / "memory.max").read_text())
        return max(0, limit - int((_CGROUP / "memory.current").read_text()))
    except (OSError, ValueError):
        return 1 << 62
