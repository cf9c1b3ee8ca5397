#!/usr/bin/env bash
# diffusers 0.42.1: enable_parallelism(cp_plan=...) takes attention processors that know nothing of it, without a word.
#
# One would guess: a model that cannot run split between processes is refused, or its attention sees all tokens.
# What happens: CogVideoX has no plan of its own; with one that is given, hooks split the tokens, but CogVideoXAttnProcessor2_0 has
# no _parallel_config, is skipped, and every process attends to its own half only. No error, no warning about it, wrong numbers.
# Why it matters: the video looks plausible. Compare with one process, or give every attention a processor that has the field.
set -euo pipefail
place=$(mktemp -d); trap 'rm -rf "$place"' EXIT
${PYTHON:-python3} -m venv "$place/env"
"$place/env/bin/pip" install -q "torch==2.13.0" "diffusers==0.42.1" "transformers>=5.23,<6" "accelerate>=1.13,<2" "numpy<3"
cat > "$place/run.py" <<'PY'
import sys

import torch
import torch.distributed as dist
import torch.multiprocessing as mp
from diffusers import CogVideoXTransformer3DModel, ContextParallelConfig
from diffusers.models._modeling_parallel import ContextParallelInput, ContextParallelOutput

PLAN = {
    "transformer_blocks.0": {"hidden_states": ContextParallelInput(1, 3), "encoder_hidden_states": ContextParallelInput(1, 3)},
    "proj_out": ContextParallelOutput(1, 3),
}


def answer(plan):
    torch.manual_seed(0)
    model = CogVideoXTransformer3DModel(
        num_attention_heads=2, attention_head_dim=8, in_channels=4, out_channels=4, time_embed_dim=2, text_embed_dim=8,
        num_layers=2, sample_width=8, sample_height=8, sample_frames=9, max_text_seq_length=8,
    ).eval()  # fmt: skip
    if plan:
        model.enable_parallelism(config=ContextParallelConfig(ulysses_degree=2), cp_plan=plan)
    with torch.no_grad():
        return model(torch.randn(1, 3, 4, 8, 8), torch.randn(1, 8, 8), torch.tensor([500]), return_dict=False)[0]


def rank(number, store):
    torch.accelerator.device_count = lambda: 2  # without an accelerator it is 0, and diffusers divides by it
    dist.init_process_group("gloo", init_method=f"file://{store}", rank=number, world_size=2)
    alone, split = answer(None), answer(PLAN)
    if number == 0:
        difference = (alone - split).abs().max().item()
        print(f"torch {torch.__version__} | no error | largest difference {difference:.3f} of {alone.abs().max():.3f}", flush=True)
        open(f"{store}.told", "w").write(str(difference))
    dist.barrier()


if __name__ == "__main__":
    mp.start_processes(rank, args=(sys.argv[1],), nprocs=2, start_method="spawn")
    sys.exit(0 if float(open(f"{sys.argv[1]}.told").read()) > 1e-2 else 1)
PY
"$place/env/bin/python" "$place/run.py" "$place/store"
