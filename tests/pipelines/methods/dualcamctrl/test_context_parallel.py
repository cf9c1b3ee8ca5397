"""Two processes that share one video compute what one process computes."""

import os
import socket
from pathlib import Path

import torch
import torch.distributed as dist
import torch.multiprocessing as mp
from diffusers import ContextParallelConfig

from pipelines.methods.dualcamctrl.network import convert
from pipelines.methods.dualcamctrl.network.transformer import DualCamCtrlTransformer

from .conftest import golden_file


def _inputs() -> dict[str, torch.Tensor]:
    golden = golden_file("transformer_forward")
    return {
        "hidden_states": torch.cat([golden["in.latents"], golden["in.y"]], 1),
        "depth_hidden_states": torch.cat([golden["in.control_latents"], golden["in.control_y"]], 1),
        "timestep": golden["t0.timestep"],
        "encoder_hidden_states": golden["in.context"],
        "encoder_hidden_states_image": golden["in.clip_feature"],
        "camera": golden["in.control_camera_latents_input"].float(),
    }


def _rank(rank: int, port: int, folder: str) -> None:
    torch.set_num_threads(1)
    torch.accelerator.device_count = lambda: 2  # a machine without accelerator counts none, diffusers divides by it
    dist.init_process_group("gloo", init_method=f"tcp://127.0.0.1:{port}", rank=rank, world_size=2)
    network: DualCamCtrlTransformer = convert.load_folder(folder, dtype=torch.float32)
    network.enable_parallelism(config=ContextParallelConfig(ulysses_degree=2))
    with torch.no_grad():
        rgb, depth = network(**_inputs())
    if rank == 0:
        torch.save({"rgb": rgb, "depth": depth}, Path(folder) / "outputs.pt")
    dist.barrier()
    os._exit(0)  # gloo's threads may outlive the group and abort an ordinary end of the process


def test_two_processes_agree_with_one(transformer, tmp_path):
    transformer.save_pretrained(tmp_path)
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    mp.start_processes(_rank, args=(port, str(tmp_path)), nprocs=2, start_method="spawn")
    outputs = torch.load(tmp_path / "outputs.pt", weights_only=True)
    with torch.no_grad():
        rgb, depth = transformer(**_inputs())
    torch.testing.assert_close(outputs["rgb"], rgb, atol=1e-5, rtol=0)
    torch.testing.assert_close(outputs["depth"], depth, atol=1e-5, rtol=0)
