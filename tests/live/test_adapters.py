"""Adapters within the real trainers: their numbers are those of the probe on gradients computed apart."""

import importlib
import re
import sys
import warnings
from pathlib import Path
from typing import Any

import polars
import pytest
import torch
from torch import nn

import gradcascade as gc

ROOT = Path(__file__).parents[2]
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
    return [gradient for gradient, _ in in_a_plain_loop(steps, learning_rate)]


def in_a_plain_loop(steps=STEPS, learning_rate=0.1):
    """Cascades of the whole gradient of every step, and of the update that this step makes."""
    net, found = Net(), []
    optimizer = torch.optim.SGD(net.parameters(), lr=learning_rate)
    named = dict(net.named_parameters())
    for step in range(steps):
        total = [torch.zeros_like(own) for own in named.values()]
        for part in range(ACCUMULATED):
            at = 4 * (step * ACCUMULATED + part)
            loss = net(torch.stack([one["x"] for one in DATA[at : at + 4]]))["loss"] / ACCUMULATED
            total = [old + new for old, new in zip(total, torch.autograd.grad(loss, [*named.values()]), strict=True)]
        gradient = gc.Probe()(dict(zip(named, total, strict=True)))
        before = {name: own.detach().clone() for name, own in named.items()}
        for own, one in zip(named.values(), total, strict=True):
            own.grad = one
        torch.nn.utils.clip_grad_norm_(named.values(), CLIP)
        optimizer.step()
        found.append((gradient, gc.Probe()({name: own.detach() - before[name] for name, own in named.items()})))
    return found


def check(rows, cascades, tau=True, kind="gradient"):
    assert len(rows) == len(cascades)
    for row, cascade in zip(rows, cascades, strict=True):
        assert row[f"gradcascade/{kind}/n"] == cascade.n
        assert row[f"gradcascade/{kind}/size"] == cascade.size
        assert row[f"gradcascade/{kind}/duration"] == cascade.duration
        assert (row[f"gradcascade/{kind}/tau"] == pytest.approx(cascade.tau, rel=1e-5)) is tau


@pytest.mark.parametrize("background", [False, True])
@pytest.mark.parametrize("attached", [True, False])
def test_the_trainer_of_transformers(tmp_path, attached, background):
    """The trainer logs once, at its end; every measurement is in its history, and given the trainer at loggers."""
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
        logging_steps=STEPS,
    )
    logged, moments = [], []

    class Logger(transformers.TrainerCallback):
        """What W&B's or TensorBoard's callback gets, and a user's own addition to the logs."""

        def on_log(self, args, state, control, logs=None, **kwargs):
            assert logs is not None
            logs["mine"] = 1.0
            logged.append({**logs, "step": state.global_step})

    trainer = Ordered(Net(), arguments, train_dataset=DATA, callbacks=[Logger()])
    options = {"every": 1, "strict": True, "fields": ("gradient", "update"), "background": background}
    options["on_measurement"] = lambda found: moments.append((found.step, found.moment))
    trainer.add_callback(TransportCallback(trainer if attached else None, **options))
    trainer.train()
    history = trainer.state.log_history
    rows = [row for row in history if "gradcascade/gradient/n" in row]
    assert [row["step"] for row in rows] == list(range(STEPS))
    moment = "before clipping" if attached else "after clipping"
    assert [own for own in moments if own[1] != "after step"] == [(step, moment) for step in range(STEPS)]
    gradients, changes = zip(*in_a_plain_loop(), strict=True)
    check(rows, gradients, tau=attached)  # clipping by the global norm moves tau and nothing else
    updates = [row for row in history if "gradcascade/update/n" in row]
    assert [row["step"] for row in updates] == list(range(1, STEPS + 1))
    check(updates, changes, kind="update")
    assert not any("mine" in row for row in history)
    assert [row["step"] for row in history if "loss" in row] == [STEPS]
    keys = ("gradcascade/gradient/size", "gradcascade/update/size")
    seen = [(row["step"], row[key]) for row in logged for key in keys if key in row]
    given = [(row["step"], row[key]) for row in rows + updates for key in keys if key in row]
    assert sorted(seen) == (sorted(given) if attached else [])


@pytest.mark.parametrize("background", [False, True])
def test_the_trainer_of_lightning(tmp_path, background):
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

        def on_before_optimizer_step(self, optimizer):
            if self.global_step == 0:
                self.log_dict({"mine": partial[-1]})

    logger = CSVLogger(str(tmp_path), flush_logs_every_n_steps=1)
    trainer = lightning.Trainer(
        max_steps=STEPS,
        accumulate_grad_batches=ACCUMULATED,
        gradient_clip_val=CLIP,
        accelerator="cpu",
        logger=logger,
        log_every_n_steps=STEPS,
        callbacks=[TransportCallback(every=1, strict=True, fields=("gradient", "update"), background=background)],
        enable_checkpointing=False,
        enable_progress_bar=False,
        enable_model_summary=False,
    )
    trainer.fit(Module(), torch.utils.data.DataLoader(DATA, batch_size=4))
    logged = polars.read_csv(f"{logger.log_dir}/metrics.csv").rows(named=True)
    rows = [row for row in logged if row["gradcascade/gradient/n"] is not None]
    assert [row["step"] for row in rows] == list(range(STEPS))
    gradients, changes = zip(*in_a_plain_loop(), strict=True)
    check(rows, gradients)
    updates = [row for row in logged if row["gradcascade/update/n"] is not None]
    assert [row["step"] for row in updates] == list(range(1, STEPS + 1))
    check(updates, changes, kind="update")
    assert partial[0] != pytest.approx(rows[0]["gradcascade/gradient/tau"], rel=1e-3)  # half of the batches
    [mine] = [row for row in logged if row["mine"] is not None]  # log_dict: the value of step 0, at a later one
    assert (mine["step"], mine["mine"]) == (STEPS - 1, pytest.approx(gradients[0].tau, rel=1e-5))


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


def test_an_adapter_is_one_file(tmp_path, monkeypatch):
    page = (ROOT / "docs" / "extending.md").read_text(encoding="utf-8")
    [code] = re.findall(r"```python\n(import torch\n\n\nclass Callback:.*?)\n\nlogged = ", page, flags=re.DOTALL)
    (tmp_path / "toy_trainer.py").write_text("import gradcascade as gc\n" + code)
    with pytest.raises(AttributeError, match="no attribute 'toy_trainer'"):
        _ = gc.live.toy_trainer
    (tmp_path / "toy_without.py").write_text("import a_library_that_is_not_installed")
    monkeypatch.setattr(gc.live, "__path__", [*gc.live.__path__, str(tmp_path)])
    importlib.invalidate_caches()
    logged = []
    callback = gc.live.toy_trainer.Callback(lambda step, scalars: logged.append({**scalars, "step": step}), every=1)
    net = Net()
    callback.begin(net, None)
    for step in range(2):
        net.zero_grad()
        net(DATA[step]["x"])["loss"].backward()
        callback.ready(step)
        named = {name: own.grad for name, own in net.named_parameters()}
        check([logged[step]], [gc.Probe()(named)])
    callback.end()
    with pytest.raises(ModuleNotFoundError, match="a_library_that_is_not_installed"):
        _ = gc.live.toy_without
    for name in ("toy_trainer", "toy_without"):
        sys.modules.pop(f"gradcascade.live.{name}", None)
