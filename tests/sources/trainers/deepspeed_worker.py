"""One process of a DeepSpeed run on CPUs: ``deepspeed_worker.py FOLDER RANK WORLD``; rank 0 writes the truth."""

import os
import sys
from pathlib import Path
from typing import Any

root, rank, world = Path(sys.argv[1]), int(sys.argv[2]), int(sys.argv[3])
os.environ |= {"DS_ACCELERATOR": "cpu", "OMP_NUM_THREADS": "1", "LOCAL_RANK": str(rank), "CUDA_VISIBLE_DEVICES": ""}
os.environ |= {"RANK": str(rank), "WORLD_SIZE": str(world), "MASTER_ADDR": "localhost", "MASTER_PORT": "0"}

import deepspeed  # noqa: E402, reads the environment
import torch  # noqa: E402
from deepspeed.utils import safe_get_full_fp32_param, safe_get_full_optimizer_state  # noqa: E402
from trained_models import SAVED, WIDTHS, Small, run_of, tokens  # noqa: E402

deepspeed.ops.__compatible_ops__["deepspeed_shm_comm"] = False  # else it is compiled, which takes half a minute
deepspeed.init_distributed("gloo", init_method=f"file://{root}/store", rank=rank, world_size=world)

for stage in (0, 1, 2, 3):
    truth, moments = {}, {}
    for width in WIDTHS:
        net = Small(width)
        optimizer = torch.optim.AdamW(
            [
                {"params": [p for p in net.parameters() if p.ndim > 1]},
                {"params": [p for p in net.parameters() if p.ndim == 1], "weight_decay": 0.0},
            ],
            1e-2,
        )
        config = {
            "train_batch_size": 4 * world,
            "zero_optimization": {"stage": stage},
            "zero_allow_untested_optimizer": True,
            **({"bf16": {"enabled": True}} if stage else {}),
        }
        engine = deepspeed.initialize(model=net, optimizer=optimizer, config=config)[0]
        for step in range(1, SAVED[-1] + 1):
            engine.backward(engine(tokens(100 * step + rank)))
            engine.step()
            if step in SAVED:
                engine.save_checkpoint(str(run_of(root / f"stage{stage}", width)), tag=f"global_step{step}")
                named = list(net.named_parameters())
                full = [(name, safe_get_full_fp32_param(p) if stage else p.detach()) for name, p in named]
                if stage in (1, 2):  # it links them after the first group's first step, when the others have none yet
                    partitioned: Any = engine.optimizer
                    partitioned._hp_optimizer_states_linked = False
                    partitioned._lazy_init_hp_params_optimizer_state()
                kept = {}
                for key in ("exp_avg", "exp_avg_sq"):
                    for name, p in named:
                        value = safe_get_full_optimizer_state(p, key) if stage else optimizer.state[p][key]
                        assert value is not None
                        kept.setdefault(key, {})[name] = value.clone()
                moments.setdefault(width, {})[step] = kept
                truth.setdefault(width, {})[step] = {name: value.clone() for name, value in full if value is not None}
    if rank == 0:
        torch.save(truth, root / f"truth{stage}.pt")
        torch.save(moments, root / f"moments{stage}.pt")
torch.distributed.destroy_process_group()
