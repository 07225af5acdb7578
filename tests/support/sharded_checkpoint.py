"""Work of one of two processes, in a module that a spawned process can import."""

from __future__ import annotations

import torch
import torch.distributed.checkpoint as dcp


def sharded(rank: int, folder: str, port: int) -> None:
    """One of two processes that save a sharded model with its optimizer, as FSDP2 does."""
    import torch.distributed as dist
    from torch.distributed.fsdp import fully_shard

    dist.init_process_group("gloo", init_method=f"tcp://127.0.0.1:{port}", rank=rank, world_size=2)
    torch.manual_seed(0)
    model = torch.nn.Sequential(torch.nn.Embedding(31, 6), torch.nn.Linear(6, 31))
    whole = {name: value.detach().clone() for name, value in model.state_dict().items()}
    fully_shard(model)
    optimizer = torch.optim.AdamW(model.parameters())
    dcp.save({"model": model.state_dict(), "optimizer": optimizer.state_dict()}, checkpoint_id=f"{folder}/sharded")
    if rank == 0:
        torch.save(whole, f"{folder}/whole.pt")
    dist.barrier()
    dist.destroy_process_group()
