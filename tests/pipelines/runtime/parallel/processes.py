"""Runs a function in several processes of one Gloo group."""

import os
import socket
import sys
from pathlib import Path

import torch
import torch.distributed as dist
import torch.multiprocessing as mp

from pipelines import method
from pipelines.registry import FIVE
from pipelines.runtime.parallel.exchange import Group


def computed(outputs, folder: Path, ranks: int = 2) -> list[dict[str, torch.Tensor]]:
    """The results of ``outputs(group)``, a function of a test module, from every process.

    All processes are forked from one that has only imported the networks' modules.
    """
    mp.set_forkserver_preload([method(name).pipeline for name in FIVE])  # type: ignore[attr-defined]
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    mp.start_processes(_rank, args=(outputs, ranks, port, str(folder)), nprocs=ranks, start_method="forkserver")
    return [torch.load(folder / f"{number}.pt", weights_only=True) for number in range(ranks)]


def _rank(number: int, outputs, ranks: int, port: int, folder: str) -> None:
    torch.set_num_threads(1)
    torch.accelerator.device_count = lambda: ranks  # without accelerators the count is 0, diffusers divides by it
    dist.init_process_group("gloo", init_method=f"tcp://127.0.0.1:{port}", rank=number, world_size=ranks)
    torch.save(outputs(Group.ours()), Path(folder) / f"{number}.pt")
    dist.barrier()
    sys.stdout.flush()
    os._exit(0)  # gloo's threads may outlive the group and abort a normal exit of the process
