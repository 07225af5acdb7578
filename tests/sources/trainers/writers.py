"""A dozen steps with each trainer, which keeps checkpoints its own way; what comes back is what torch had then."""

import warnings
from pathlib import Path

import torch
from trained_models import SAVED, Small, Weights, run_of, tokens, weights

Truth = dict[int, Weights]


def transformers_trainer(root: Path, width: int) -> Truth:
    """Shards of safetensors in ``checkpoint-N``, the last model beside them and in ``checkpoint-best``."""
    import transformers

    class Keep(transformers.TrainerCallback):
        def on_save(self, args, state, control, model=None, **_):
            truth[state.global_step] = weights(model)  # pyright: ignore[reportArgumentType]

    truth: Truth = {}
    torch.manual_seed(width)
    config = transformers.LlamaConfig(
        hidden_size=width,
        intermediate_size=2 * width,
        num_hidden_layers=12,
        num_attention_heads=2,
        num_key_value_heads=1,
        vocab_size=17,
        max_position_embeddings=8,
        tie_word_embeddings=True,
    )
    model = transformers.LlamaForCausalLM(config)
    save = model.save_pretrained
    model.save_pretrained = lambda *args, **more: save(*args, **{"max_shard_size": "5KB", **more})
    folder = run_of(root, width)
    arguments = transformers.TrainingArguments(
        output_dir=str(folder),
        max_steps=SAVED[-1],
        save_steps=SAVED[0],
        per_device_train_batch_size=1,
        report_to="none",
        use_cpu=True,
        disable_tqdm=True,
    )
    data = [{"input_ids": row, "labels": row} for step in range(6) for row in tokens(step)]
    trainer = transformers.Trainer(model=model, args=arguments, train_dataset=data, callbacks=[Keep()])
    trainer.train()
    trainer.save_model(str(folder))
    trainer.save_model(str(folder / "checkpoint-best"))
    return truth


def lightning(root: Path, width: int) -> Truth:
    """``lightning_logs/version_0/checkpoints/epoch=E-step=N.ckpt`` and ``last.ckpt``, with the optimizer in them."""
    from lightning import LightningModule, Trainer
    from lightning.pytorch.callbacks import ModelCheckpoint
    from lightning.pytorch.loggers import CSVLogger

    truth: Truth = {}

    class Module(LightningModule):
        def __init__(self) -> None:
            super().__init__()
            self.net = Small(width)

        def training_step(self, batch, number):
            return self.net(batch[0])

        def configure_optimizers(self):
            return torch.optim.AdamW(self.parameters(), 1e-2)

        def on_save_checkpoint(self, checkpoint):
            truth[self.global_step] = weights(self)

    folder = run_of(root, width)
    trainer = Trainer(
        max_steps=SAVED[-1],
        accelerator="cpu",
        logger=CSVLogger(folder),
        callbacks=[ModelCheckpoint(every_n_train_steps=SAVED[0], save_top_k=-1, save_last=True)],
        enable_progress_bar=False,
        enable_model_summary=False,
    )
    data = torch.utils.data.TensorDataset(torch.cat([tokens(step) for step in range(5)]))
    trainer.fit(Module(), torch.utils.data.DataLoader(data, 4))
    return truth


def accelerate(root: Path, width: int) -> Truth:
    """``step_N`` with ``model.safetensors``, the optimizer, the scheduler and the random states."""
    from accelerate import Accelerator

    accelerator = Accelerator(cpu=True)
    net = Small(width)
    model, optimizer = accelerator.prepare(net, torch.optim.AdamW(net.parameters(), 1e-2))
    truth: Truth = {}
    for step in range(1, SAVED[-1] + 1):
        accelerator.backward(model(tokens(step)))
        optimizer.step()
        optimizer.zero_grad()
        if step in SAVED:
            accelerator.save_state(str(run_of(root, width) / f"step_{step}"))
            truth[step] = weights(net)
    return truth


def ddp(root: Path, width: int) -> Truth:
    """``ckpt_N.pt`` with the state of ``DistributedDataParallel``, every name under ``module.``.

    In a process of its own: groups of processes that were made and destroyed in this one can leave threads that wait.
    """
    import multiprocessing

    told = root.parent / f"{root.name}-truth-{width}.pt"
    process = multiprocessing.get_context("spawn").Process(target=_ddp, args=(root, width, told), daemon=True)
    process.start()
    process.join(120)
    assert process.exitcode == 0, "training under DDP did not end"
    return torch.load(told)


def _ddp(root: Path, width: int, told: Path) -> None:
    from torch import distributed

    folder = run_of(root, width)
    store = root.parent / f"{root.name}-store-{width}"
    distributed.init_process_group("gloo", init_method=f"file://{store}", rank=0, world_size=1)
    try:
        net = Small(width)
        model = torch.nn.parallel.DistributedDataParallel(net)
        optimizer = torch.optim.AdamW(model.parameters(), 1e-2)
        truth: Truth = {}
        for step in range(1, SAVED[-1] + 1):
            model(tokens(step)).backward()
            optimizer.step()
            optimizer.zero_grad()
            if step in SAVED:
                torch.save(model.state_dict(), folder / f"ckpt_{step}.pt")
                truth[step] = weights(net)
    finally:
        distributed.destroy_process_group()
    torch.save(truth, told)


def quietly(write, root: Path, width: int) -> Truth:
    """Trainers warn of missing accelerators and of few workers."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return write(root, width)
