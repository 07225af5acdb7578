"""One of two processes that train the same model in every way: ``sharded_worker.py FOLDER RANK``; rank 0 writes."""

import logging
import os
import sys
import warnings
from pathlib import Path
from typing import Any

root, rank = Path(sys.argv[1]), int(sys.argv[2])
os.environ |= {"DS_ACCELERATOR": "cpu", "OMP_NUM_THREADS": "1", "LOCAL_RANK": str(rank), "CUDA_VISIBLE_DEVICES": ""}
os.environ |= {"RANK": str(rank), "WORLD_SIZE": "2", "MASTER_ADDR": "localhost", "MASTER_PORT": "0"}
os.environ |= {"OMP_WAIT_POLICY": "PASSIVE", "GRADCASCADE_THREADS": "1"}

import torch  # noqa: E402, reads the environment
import torch.distributed as dist  # noqa: E402
from sharded_models import STEPS, WAYS, Net, loss_of, make_optimizer  # noqa: E402
from torch.distributed.fsdp import FullyShardedDataParallel, fully_shard  # noqa: E402
from torch.distributed.fsdp.wrap import ModuleWrapPolicy  # noqa: E402
from torch.nn.parallel import DistributedDataParallel  # noqa: E402

import gradcascade as gc  # noqa: E402

torch.set_num_threads(1)
dist.init_process_group("gloo", init_method=f"file://{root}/store", rank=rank, world_size=2)
said: list[str] = []
handler = logging.Handler()
handler.emit = lambda record: said.append(record.getMessage())
logging.getLogger("gradcascade").addHandler(handler)


def engine_of(net, optimizer, stage):
    import deepspeed

    deepspeed.ops.__compatible_ops__["deepspeed_shm_comm"] = False  # else it is compiled, which takes half a minute
    if not deepspeed.comm.is_initialized():
        deepspeed.init_distributed("gloo", init_method=f"file://{root}/store", rank=rank, world_size=2)
    config = {
        "train_batch_size": 2,
        "zero_optimization": {"stage": stage, "stage3_param_persistence_threshold": 0},
        "zero_allow_untested_optimizer": True,
        "gradient_clipping": 0.0,
    }
    return deepspeed.initialize(model=net, optimizer=optimizer, config=config)[0]


def wrapped(net, way):
    if way == "ddp":
        return DistributedDataParallel(net)
    if way == "fsdp1":
        policy = ModuleWrapPolicy({torch.nn.Sequential})
        return FullyShardedDataParallel(
            net, auto_wrap_policy=policy, use_orig_params=True, device_id=torch.device("cpu")
        )
    if way == "fsdp2":
        for block in net.blocks:
            fully_shard(block)
        return fully_shard(net)
    return net


def train(way):
    net = Net()
    engine: Any = None
    optimizer: Any
    if way.startswith("zero"):
        engine = engine_of(net, make_optimizer(net), int(way[-1]))
        model, optimizer = engine, engine.optimizer
    else:
        model = wrapped(net, way)
        optimizer = make_optimizer(model)
    kinds = ("gradient", "momentum", "direction", "update")
    monitor = gc.Monitor(model, optimizer, every=1, fields=kinds, strict=True, nulls=("N2",))
    recorder = gc.Recorder(root / "runs" / way, model)
    found = {"gradients": [], "parameters": [], "states": [], "numbers": []}
    for step in range(STEPS):
        if engine is None:
            optimizer.zero_grad()
            loss_of(model, step, rank).backward()
        else:
            engine.backward(loss_of(engine, step, rank))
        found["gradients"].append({name: value.clone() for name, value in gc.full_gradients(model)})
        found["parameters"].append({name: value.clone() for name, value in gc.full_parameters(model)})
        if step:
            states = gc.full_states(model, optimizer, "exp_avg")
            found["states"].append({name: value.clone() for name, value in states})
        recorder.record_checkpoint(step)
        recorder.record_gradients(step)
        measured = monitor.after_backward(step)
        found["numbers"].append(measured and measured.scalars())
        (engine or optimizer).step()
    monitor.close()
    return found


def train_in_lightning():
    """What the callback of Lightning logs on two devices: the training of ``ddp``."""
    import lightning.pytorch as lightning
    from lightning.pytorch.loggers.logger import DummyLogger

    logged = []

    class Logger(DummyLogger):
        def log_metrics(self, *arguments: Any, **named: Any) -> None:
            logged.append((named["step"], arguments[0]))

    class Module(lightning.LightningModule):
        def __init__(self):
            super().__init__()
            self.net = Net()

        def training_step(self, batch, number):
            return loss_of(self.net, number, rank)

        def configure_optimizers(self):
            return make_optimizer(self)

    callback = gc.live.lightning.TransportCallback(every=1, strict=True, fields=("gradient", "update"))
    quiet: Any = {"enable_checkpointing": False, "enable_progress_bar": False, "enable_model_summary": False}
    two: Any = {"accelerator": "cpu", "devices": 2, "strategy": "ddp", "use_distributed_sampler": False}
    trainer = lightning.Trainer(max_steps=STEPS, callbacks=[callback], logger=Logger(), **two, **quiet)
    batches: Any = list(range(STEPS))
    trainer.fit(Module(), torch.utils.data.DataLoader(batches))
    assert trainer.world_size == 2
    return [(step, row) for step, row in logged if any("gradcascade" in name for name in row)]


def refusals():
    """What a sharded model says where nothing gathers it."""
    found = {}
    model = wrapped(Net(), "fsdp2")
    loss_of(model, 0, rank).backward()
    sharded = {name: parameter.grad for name, parameter in model.named_parameters()}
    flat = FullyShardedDataParallel(Net(), device_id=torch.device("cpu"))
    for name, what in {
        "probe": lambda: gc.Probe()(sharded),
        "flat": lambda: gc.Monitor(flat),
    }.items():
        try:
            what()
            found[name] = "nothing"
        except gc.InputError as error:
            found[name] = str(error)
    return found


def frozen():
    """Checkpoints of models of which a part is not trained, before their first step."""
    for way in ("fsdp1", "fsdp2", "zero1", "zero3"):
        net = Net()
        net.start.requires_grad_(False)
        net.blocks[1].requires_grad_(False)
        if way.startswith("zero"):
            trained = torch.optim.AdamW([own for own in net.parameters() if own.requires_grad], lr=1e-2)
            model = engine_of(net, trained, int(way[-1]))
        else:
            model = wrapped(net, way)
        with warnings.catch_warnings(record=True) as told:
            warnings.simplefilter("always")
            recorder = gc.Recorder(root / "frozen" / way, model)
        recorder.record_checkpoint(0)
        assert any("frozen and left out" in str(one.message) for one in told) is (rank == 0)


def alone():
    """What rank 0 is told where it alone asks for what lies on both, and that the training goes on."""
    found: list[str] = []
    gc.live.processes.GATHERING_PATIENCE = gc.live.processes.timedelta(seconds=0.2)
    for way in ("fsdp1", "fsdp2"):
        model = wrapped(Net(), way)
        recorder = gc.Recorder(root / "alone" / way, model)
        monitor = gc.Monitor(model, make_optimizer(model), every=1, fields=("gradient", "momentum"), strict=True)
        loss_of(model, 0, rank).backward()
        calls = (
            lambda: recorder.record_checkpoint(0),  # noqa: B023, called within this turn
            lambda: recorder.record_gradients(0),  # noqa: B023
            lambda: monitor.after_backward(0),  # noqa: B023
            lambda: dict(gc.full_gradients(model)),  # noqa: B023
        )
        for call in calls if rank == 0 else ():
            try:
                call()
                found.append("nothing")
            except gc.InputError as error:
                found.append(str(error))
        dist.barrier()
        loss_of(model, 1, rank).backward()
        if rank:
            try:
                recorder.record_checkpoint(1)  # which comes too late
            except gc.InputError as error:
                found.append(str(error))
            assert "not all of them came" in found[-1], found
        dist.barrier()
    return found


def different():
    """What is said where processes have gradients of their own."""
    said.clear()
    net = Net()
    monitor = gc.Monitor(net, every=1, strict=True)
    loss_of(net, 0, rank).backward()
    monitor.after_backward(0)
    dist.barrier()
    alone = []
    if rank == 0:  # a loop that guards its measuring must not stop
        gc.live.processes.PATIENCE = gc.live.processes.timedelta(seconds=0.2)
        alone = [gc.Monitor(net, every=1, strict=True).after_backward(0)]
    dist.barrier()
    return list(said), bool(alone and alone[0])


torch.manual_seed(0)
results: dict[str, Any] = {way: train(way) for way in WAYS}
results["said"] = list(said)
frozen()
results["lightning"] = train_in_lightning()
results |= {"refusals": refusals(), "different": different(), "alone": alone()}
if rank == 0:
    torch.save(results, root / "found.pt")
else:
    assert all(not any(found["gradients"]) for way, found in results.items() if way in WAYS)
    assert not any(found["numbers"][0] for way, found in results.items() if way in WAYS)
    assert results["lightning"] == []
dist.barrier()
dist.destroy_process_group()
