"""One process of a shot over several GPUs: ``python -m pipelines.runtime.parallel.rank FOLDER RANK RANKS PORT``."""

from __future__ import annotations

import json
import os
import sys
from pathlib import Path
from typing import Any

import numpy as np
import torch
import torch.distributed as dist

from camera.errors import InputError
from pipelines.method import Clip, Progress
from pipelines.runtime.clip_file import clip_bytes, plain
from pipelines.runtime.device import Device
from pipelines.runtime.job_file import read_job
from pipelines.runtime.memory import networks
from pipelines.runtime.parallel.exchange import Group
from pipelines.runtime.parallel.split import split
from pipelines.runtime.runner import Runtime


def main(folder: Path, rank: int, ranks: int, port: int) -> None:
    """Shoot the job in ``folder`` together with the other ranks; rank 0 reports on standard output, one JSON object per line."""
    device = join(f"127.0.0.1:{port}", rank, ranks, gpu=rank)
    shot = read_job(folder / "job.npz", files=True)
    group = Group.ours()
    items = Runtime(device).run(shot, around=lambda pipeline: split(networks(pipeline), group))
    number = 0
    try:
        for item in items:
            if rank:
                continue
            number += 1
            if isinstance(item, Clip):
                _print_event("clip", _write_file(folder / f"clip-{number}.npz", clip_bytes(item, shot.scene)))
            elif isinstance(item, Progress):
                _print_event("progress", plain(item) | {"preview": _preview(folder, number, item)})
            else:
                _print_event("report", plain(item))
    except InputError as error:
        if rank == 0:
            _print_event("refused", str(error))
    dist.barrier()


def join(address: str, rank: int, ranks: int, *, gpu: int) -> Device:
    """Wait for all ``ranks`` at ``address`` (HOST:PORT of the first) and return this one's device.

    ``gpu``: number of the GPU among those that this process sees. Without GPUs the processes share the cores.
    """
    on_gpu = torch.cuda.is_available()
    if on_gpu:
        torch.cuda.set_device(gpu)
    else:
        torch.set_num_threads(max(1, (os.cpu_count() or 1) // ranks))
        # a machine without accelerator reports zero devices, and diffusers divides by that number
        torch.accelerator.device_count = lambda: ranks
    backend = "cpu:gloo,cuda:nccl" if on_gpu else "gloo"
    dist.init_process_group(backend, init_method=f"tcp://{address}", rank=rank, world_size=ranks)
    return Device(f"cuda:{gpu}" if on_gpu else "cpu")


def _preview(folder: Path, number: int, item: Progress) -> str | None:
    if item.preview is None:
        return None
    file = folder / f"early-{number}.npy"
    np.save(file, item.preview, allow_pickle=False)
    return file.name


def _write_file(file: Path, content: bytes) -> str:
    file.write_bytes(content)
    return file.name


def _print_event(kind: str, value: Any) -> None:
    print(json.dumps({"kind": kind, "value": value}), flush=True)


if __name__ == "__main__":
    main(Path(sys.argv[1]), *map(int, sys.argv[2:5]))
    sys.stdout.flush()
    os._exit(0)  # gloo's threads may outlive the group and abort a normal exit
