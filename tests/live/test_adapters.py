"""Adapters within the real trainers: their numbers are those of the probe on gradients computed apart."""

import warnings
from typing import Any

import pytest
import torch
from torch import nn

import gradcascade as gc

warnings.simplefilter("ignore")
pytestmark = pytest.mark.filterwarnings("ignore")
CLIP, ACCUMULATED, STEPS = 0.01, 2, 3


class Net(nn.Module):
    def __init__(self):
        super().__init__()
        torch.manual_seed(0)
        self.a, self.b = nn.Linear(6, 30), nn.Linear(30, 5)

    def forward(self, x, labels=None):
        return {"loss": self.b(torch.tanh(self.a(x))).square().mean()}


GENERATORS = [torch.Generator().manual_seed(k) for k in range(4 * ACCUMULATED * STEPS)]
DATA: Any = [{"x": torch.randn(6, generator=one)} for one in GENERATORS]


def expected(steps=STEPS, learning_rate=0.1):
    """Cascades of the whole gradient of every step of SGD with clipping, by autograd in a loop of its own."""
    net, found = Net(), []
    names = [name for name, _ in net.named_parameters()]
    for step in range(steps):
        total = [torch.zeros_like(own) for own in net.parameters()]
        for part in range(ACCUMULATED):
            at = 4 * (step * ACCUMULATED + part)
            loss = net(torch.stack([one["x"] for one in DATA[at : at + 4]]))["loss"] / ACCUMULATED
            total = [
                old + new for old, new in zip(total, torch.autograd.grad(loss, list(net.parameters())), strict=True)
            ]
        found.append(gc.Probe()(dict(zip(names, total, strict=True))))
        norm = torch.stack([one.norm() for one in total]).norm()
        with torch.no_grad():
            for own, one in zip(net.parameters(), total, strict=True):
                own -= learning_rate * one * min(1.0, CLIP / (norm + 1e-6))
    return found


def check(rows, cascades, tau=True):
    assert len(rows) == len(cascades)
    for row, cascade in zip(rows, cascades, strict=True):
        assert row["gradcascade/gradient/n"] == cascade.n
        assert row["gradcascade/gradient/size"] == cascade.size
        assert row["gradcascade/gradient/duration"] == cascade.duration
        assert (row["gradcascade/gradient/tau"] == pytest.approx(cascade.tau, rel=1e-5)) is tau


@pytest.mark.parametrize("attached", [True, False])
def test_the_trainer_of_transformers(tmp_path, attached):
    transformers = pytest.importorskip("transformers")
    TransportCallback = gc.live.huggingface.TransportCallback

    class Ordered(transformers.Trainer):
        def _get_train_sampler(self, *_, **__):
            return torch.utils.data.SequentialSampler(DATA)

    arguments = transformers.TrainingArguments(
        output_dir=str(tmp_path),
        per_device_train_batch_size=4,
        gradient_accumulation_steps=ACCUMULATED,
        max_steps=STEPS,
        max_grad_norm=CLIP,
        learning_rate=0.1,
        lr_scheduler_type="constant",
        optim="sgd",
        use_cpu=True,
        report_to=[],
        save_strategy="no",
        disable_tqdm=True,
        logging_steps=1,
    )
    moments = []
    trainer = Ordered(Net(), arguments, train_dataset=DATA)
    options = {"every": 1, "strict": True, "on_measurement": lambda found: moments.append((found.step, found.moment))}
    trainer.add_callback(TransportCallback(trainer if attached else None, **options))
    trainer.train()
    rows = [row for row in trainer.state.log_history if "gradcascade/gradient/n" in row]
    assert [row["step"] for row in rows] == list(range(STEPS))
    assert moments == [(step, "before clipping" if attached else "after clipping") for step in range(STEPS)]
    check(rows, expected(), tau=attached)  # clipping by the global norm moves tau and nothing else


def test_the_trainer_of_lightning(tmp_path):
    lightning = pytest.importorskip("lightning.pytorch")
    from lightning.pytorch.loggers import CSVLogger

    TransportCallback = gc.live.lightning.TransportCallback

    partial = []

    class Module(lightning.LightningModule):
        def __init__(self):
            super().__init__()
            self.net = Net()

        def training_step(self, batch, _):
            return self.net(batch["x"])["loss"]

        def configure_optimizers(self):
            return torch.optim.SGD(self.parameters(), lr=0.1)

        def on_after_backward(self):
            named = self.net.named_parameters()
            partial.append(gc.Probe()({name: own.grad for name, own in named}).tau)

    logger = CSVLogger(str(tmp_path), flush_logs_every_n_steps=1)
    trainer = lightning.Trainer(
        max_steps=STEPS,
        accumulate_grad_batches=ACCUMULATED,
        gradient_clip_val=CLIP,
        accelerator="cpu",
        logger=logger,
        callbacks=[TransportCallback(every=1, strict=True)],
        enable_checkpointing=False,
        enable_progress_bar=False,
        enable_model_summary=False,
    )
    trainer.fit(Module(), torch.utils.data.DataLoader(DATA, batch_size=4))
    rows = [row for row in logger.experiment.metrics if "gradcascade/gradient/n" in row]
    if not rows:
        import polars

        rows = polars.read_csv(f"{logger.log_dir}/metrics.csv").rows(named=True)
    assert [int(row["step"]) for row in rows] == list(range(STEPS))
    check(rows, expected())
    assert partial[0] != pytest.approx(rows[0]["gradcascade/gradient/tau"], rel=1e-3)  # half of the batches


def test_a_loop_with_accelerate_measures_the_plain_way():
    accelerate = pytest.importorskip("accelerate")
    net = Net()
    accelerator = accelerate.Accelerator(cpu=True, gradient_accumulation_steps=ACCUMULATED)
    loader = torch.utils.data.DataLoader(DATA, batch_size=4)
    model, optimizer, loader = accelerator.prepare(net, torch.optim.SGD(net.parameters(), lr=0.1), loader)
    monitor = gc.Monitor(model, optimizer, every=1, strict=True, scaler=accelerator.scaler)
    rows, step = [], 0
    for batch in loader:
        with accelerator.accumulate(model):
            accelerator.backward(model(batch["x"])["loss"])
            if accelerator.sync_gradients:
                found = monitor.after_backward(step)
                assert found is not None
                rows.append(found.scalars())
                accelerator.clip_grad_norm_(model.parameters(), CLIP)
                step += 1
            optimizer.step()
            optimizer.zero_grad()
    check(rows, expected())
