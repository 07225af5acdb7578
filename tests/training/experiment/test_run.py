"""Runs: every field equals that of a plain loop, bit for bit; an interrupted run gives the same rows."""

import numpy as np
import pytest
import torch
from torch.nn.functional import cross_entropy

import gradcascade as gc
from gradcascade.training.corpus import Corpus, read_corpus
from gradcascade.training.decoder import Decoder, DecoderShape
from gradcascade.training.experiment.plan import Condition, ExperimentPlan
from gradcascade.training.experiment.run import OTHER_BATCHES, RunSpec, Trainer

PLAN = ExperimentPlan(
    optimizers=("adamw", "sgd-momentum", "sgd", "muon"), spans=(1, 2, 4), batches=3, widths=(24,), seeds=(0,),
    steps=6, warmup=2, measured=(4, 6), batch=2, context=8, evaluation=2, clip=0.5,
)  # fmt: skip
RATES = {"adamw": 4e-3, "sgd-momentum": 0.1, "sgd": 0.5, "muon": 4e-3}


@pytest.fixture(scope="module")
def corpus(tmp_path_factory) -> Corpus:
    path = tmp_path_factory.mktemp("text") / "own.txt"
    path.write_bytes(b"".join(b"line %d of a text\n" % i for i in range(500)))
    return read_corpus([path])


class Kept:
    """A link that keeps everything, and stops a run before given steps."""

    def __init__(self, *stops):
        self.stops, self.rows, self.losses = list(stops), {}, {}

    def keep(self, spec, record):
        self.losses[record.step] = record.metrics["loss"]
        for own in record.fields:
            assert own.refused is None
            for row in own.rows.rows:
                row = {**row, "activity": tuple(row["activity"]), "seconds": None}
                key = tuple(row[name] for name in ("step", "field", "span", "variant", "replicate"))
                assert self.rows.setdefault(key, row) == row  # what is measured again is the same

    def stopped(self, spec, step, loss):
        if self.stops and step == self.stops[0]:
            self.stops.pop(0)
            return True
        return False


def spec(folder, optimizer, measured=PLAN.measured):
    return RunSpec(Condition(optimizer, "constant"), 24, 0, RATES[optimizer], measured, folder)


def plain_fields(optimizer, corpus):
    """The fields by step, kind and span, from a loop that knows nothing of the package's."""
    torch.manual_seed(0)
    model = Decoder(DecoderShape(24, PLAN.context))
    names = [name for name, _ in model.named_parameters() if any(own in name for own in ("v_proj", "o_proj", "w_2"))]
    own = dict(model.named_parameters())
    rate = RATES[optimizer]
    if optimizer == "adamw":
        used = torch.optim.AdamW(model.parameters(), weight_decay=0.01, fused=True)
    else:
        used = torch.optim.SGD(model.parameters(), momentum=0.9 if optimizer == "sgd-momentum" else 0.0)

    def flat(tensors):
        return torch.cat([tensors[name].detach().flatten() for name in names]).numpy().copy()

    def grad(number):
        windows = torch.from_numpy(corpus.batch(0, number, PLAN.batch, PLAN.context))
        loss = cross_entropy(model(windows[:, :-1]).flatten(0, 1), windows[:, 1:].flatten())
        return dict(zip(own, torch.autograd.grad(loss, list(own.values())), strict=True))

    theta, found = {}, {}
    for step in range(PLAN.steps + 1):
        theta[step] = flat(own)
        gradient = grad(step)
        if step in PLAN.measured:
            found[step, "gradient", 0] = flat(gradient)
            more = [flat(grad(number * OTHER_BATCHES + step)) for number in (1, 2)]
            every = np.stack([flat(gradient), *more]).astype(np.float64)
            found[step, "mean-gradient", 0] = every.mean(0).astype(np.float32)
            state = {name: used.state[parameter] for name, parameter in own.items()}
            if optimizer == "adamw":
                first, second = ({name: state[name][key] for name in names} for key in ("exp_avg", "exp_avg_sq"))
                found[step, "momentum", 0] = flat(first)
                root = np.sqrt(flat(second).astype(np.float64) / (1 - 0.999**step)) + 1e-8
                mean = flat(first).astype(np.float64) / (1 - 0.9**step)
                found[step, "direction", 0] = (mean / root).astype(np.float32)
            elif optimizer == "sgd-momentum":
                buffers = flat({name: state[name]["momentum_buffer"] for name in names})
                found[step, "momentum", 0] = found[step, "direction", 0] = buffers
            for span in PLAN.spans:
                found[step, "update", span] = theta[step] - theta[step - span]
        for name, parameter in own.items():
            parameter.grad = gradient[name]
        torch.nn.utils.clip_grad_norm_(model.parameters(), PLAN.clip)
        used.param_groups[0]["lr"] = rate * min(1, (step + 1) / PLAN.warmup)
        used.step()
    return found


@pytest.mark.parametrize("optimizer", ["adamw", "sgd-momentum", "sgd"])
def test_every_field_is_that_of_a_plain_loop(optimizer, corpus, tmp_path):
    kept = Kept()
    result = Trainer(PLAN, corpus).run(spec(tmp_path / "run", optimizer), kept)
    assert result
    assert result["diverged_at"] is None
    assert result["loss"] == kept.losses[6]
    fields = plain_fields(optimizer, corpus)
    assert {key[:3] for key in kept.rows} == set(fields)
    probe = gc.Probe()
    for (step, kind, span), field in fields.items():
        expected = probe(field)
        row = kept.rows[step, kind, span, "real", 0]
        assert (row["n"], row["tau"], row["size"]) == (expected.n, expected.tau, expected.size), (step, kind, span)
        assert row["activity"] == tuple(expected.activity.tolist())
        for name in ("N0", "N2"):
            for replicate in range(2):
                null = probe(gc.null(name, field, seed=42 + step, replicate=replicate))
                assert kept.rows[step, kind, span, name, replicate]["size"] == null.size


@pytest.mark.parametrize("optimizer", ["adamw", "muon"])
def test_an_interrupted_run_gives_the_same_rows(optimizer, corpus, tmp_path):
    whole, parts = Kept(), Kept(1, 4, 5)
    trainer = Trainer(PLAN, corpus)
    expected = trainer.run(spec(tmp_path / "whole", optimizer), whole)
    results = [Trainer(PLAN, corpus).run(spec(tmp_path / "parts", optimizer), parts) for _ in range(4)]
    assert results[:3] == [None] * 3
    assert results[3]
    assert expected
    assert results[3]["loss"] == expected["loss"]
    assert parts.rows == whole.rows
    assert parts.losses == whole.losses
    assert sorted(path.name for path in (tmp_path / "parts").iterdir()) == ["finished.json", "training_config.yaml"]


def test_a_run_killed_between_measuring_and_saving_measures_the_same_again(corpus, tmp_path):
    class KilledError(Exception):
        pass

    class Dying(Kept):
        def stopped(self, spec, step, loss):
            if 5 in self.stops and step == 5:
                raise KilledError  # the state of step 5 is not yet there when the process goes
            return super().stopped(spec, step, loss)

    parts, trainer = Dying(3), Trainer(PLAN, corpus)
    assert trainer.run(spec(tmp_path / "a", "adamw"), parts) is None
    state = (tmp_path / "a" / "resume.pt").read_bytes()
    parts.stops = [5]
    with pytest.raises(KilledError):
        trainer.run(spec(tmp_path / "a", "adamw"), parts)
    (tmp_path / "a" / "resume.pt").write_bytes(state)
    parts.stops = []
    trainer.run(spec(tmp_path / "a", "adamw"), parts)  # the link compares what comes twice
    assert {key[0] for key in parts.rows} == {4, 6}


def test_a_rate_that_is_far_too_high_diverges_and_has_no_loss(corpus, tmp_path):
    high = RunSpec(Condition("sgd", "constant"), 24, 0, 1e30, (), tmp_path / "high")
    result = Trainer(PLAN, corpus).run(high, Kept())
    assert result
    assert result["loss"] is None
    assert 1 <= result["diverged_at"] <= 6
