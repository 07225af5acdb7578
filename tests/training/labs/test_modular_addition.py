"""The lab in this process, at a size of seconds: what is kept, when runs end, and that stopping changes nothing."""

from __future__ import annotations

import json
from pathlib import Path

import polars as pl
import pytest
import torch
from workers_here import WorkersHere

from gradcascade.errors import InputError
from gradcascade.study.plan import NullPlan
from gradcascade.study.study import Study
from gradcascade.training.labs import modular_addition, modular_run
from gradcascade.training.labs.modular_addition import LAB, STUDY, run_modular_addition
from gradcascade.training.labs.modular_data import modular_pairs
from gradcascade.training.labs.modular_plan import FAMILIES, GROKKING, SMALL_SHARE, ModularPlan, run_folder
from gradcascade.training.labs.modular_transformer import ModularTransformer, entries

SEEN = 1e-9  # a threshold that is passed as soon as one answer is right
PLAN = ModularPlan(
    prime=5, widths=(4, 8), seeds=(1,), heads=2, steps=12, after=3, every=2, threshold=SEEN, small_share=0.5,
    nulls=NullPlan(kinds=("N0",)),
)  # fmt: skip


@pytest.fixture(autouse=True)
def _here(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(modular_addition, "Workers", WorkersHere)


def made(out: Path, plan: ModularPlan = PLAN, stop_at: int | None = None) -> bool:
    asked = [0]

    def stop() -> bool:
        asked[0] += 1
        return asked[0] == stop_at

    return run_modular_addition(plan, out, 1, stop=stop)


def tables(out: Path) -> tuple[pl.DataFrame, pl.DataFrame]:
    with Study.open(out / STUDY) as study:
        return study.cascades().drop("seconds"), study.metrics()


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("lab") / "out"
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(modular_addition, "Workers", WorkersHere)
        assert made(out)
    return out


def test_runs_end_after_their_transition_and_controls_with_the_run_they_belong_to(whole: Path) -> None:
    cascades, metrics = tables(whole)
    told = {(own["family"], own["scale"], own["run"]): own for own in json.loads((whole / LAB).read_bytes())["runs"]}
    assert set(told) == {(f, s, r) for f in FAMILIES for s in ("d4", "d8") for r in "1"}
    for (family, scale, run), own in told.items():
        test = metrics.filter(family=family, scale=scale, run=run, metric="test_accuracy").sort("step")
        above = test.filter(pl.col("value") > SEEN)["step"]
        assert own["transition"] == (above[0] if above.len() else None)
        if family == GROKKING:
            ends = 12 if own["transition"] is None else min(12, own["transition"] + 4)  # the next measured step
            assert own["last"] == ends
        assert own["last"] == told[GROKKING, scale, run]["last"]
        steps = cascades.filter(family=family, scale=scale, run=run, variant="real")["step"].to_list()
        assert steps == list(range(0, own["last"] + 1, 2)) == test["step"].to_list()
    assert dict(cascades.select("scale", "n").unique().rows()) == {f"d{w}": entries(5, w) for w in (4, 8)}
    assert set(cascades["variant"]) == {"real", "N0"}


def test_the_first_gradient_is_that_of_the_whole_loss(whole: Path) -> None:
    """By hand, from the same seeds; the probe does not see a factor, so tau is compared."""
    torch.manual_seed(1)
    model = ModularTransformer(5, 8, 2)
    training, _ = modular_pairs(5, 0.8, 1)
    logits = model(torch.from_numpy(training.numbers))
    torch.nn.functional.cross_entropy(logits, torch.from_numpy(training.answers)).backward()
    size = torch.cat(
        [parameter.grad.abs().flatten() for parameter in model.parameters() if parameter.grad is not None]
    )
    found = tables(whole)[0].filter(family=GROKKING, scale="d8", run="1", step=0, variant="real")["tau"]
    assert found.to_list() == pytest.approx([torch.quantile(size.double(), 0.9).item()], rel=1e-5)


@pytest.mark.parametrize("saved_every", [0.0, 1e9], ids=["every step saved", "saved when stopped"])
def test_stopped_at_any_moment_and_continued_it_is_the_same(
    whole: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, saved_every: float
) -> None:
    monkeypatch.setattr(modular_run, "SAVE_EVERY_SECONDS", saved_every)
    out, stops = tmp_path / "out", 0
    while not made(out, stop_at=7 + stops):
        stops += 1
        assert stops < 40
    assert stops > 3
    for one, other in zip(tables(whole), tables(out), strict=True):
        assert one.equals(other)
    first, second = (
        [{key: own[key] for key in ("transition", "last", "loss")} for own in json.loads(path.read_bytes())["runs"]]
        for path in (whole / LAB, out / LAB)
    )
    assert first == second


class KilledError(Exception):
    """Stands for a kill."""


def test_killed_between_a_measurement_and_its_state_it_is_the_same(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The state is older than what the study has: steps are measured again, and alike."""
    small = PLAN.model_copy(update={"threshold": 0.999, "widths": (4,)})
    out, clean, measured = tmp_path / "out", tmp_path / "clean", modular_run.ModularTrainer._measured

    def dying(self, spec, step, maker, metrics):
        if step == 8:
            raise KilledError
        return measured(self, spec, step, maker, metrics)

    with monkeypatch.context() as patch:
        patch.setattr(modular_run.ModularTrainer, "_measured", dying)
        assert not made(out, small, stop_at=4)  # a state of step 3
        with pytest.raises(KilledError):
            made(out, small)
    assert tables(out)[0]["step"].max() == 6
    assert made(out, small) and made(clean, small)
    for one, other in zip(tables(out), tables(clean), strict=True):
        assert one.equals(other)


def test_the_control_of_few_pairs_has_no_weight_decay(tmp_path: Path) -> None:
    """Without it, a field of zeros leaves the weights; here the settings in use are looked at."""
    used: list[float] = []
    before = torch.optim.AdamW

    class Watched(before):
        def __init__(self, *args, **more) -> None:
            used.append(more["weight_decay"])
            super().__init__(*args, **more)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(torch.optim, "AdamW", Watched)
        made(tmp_path / "out", PLAN.model_copy(update={"widths": (4,), "steps": 2}))
    assert used == [1.0, 1.0, 0.0] and FAMILIES[-1] == SMALL_SHARE


def test_another_plan_in_the_folder_is_refused(whole: Path, tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"holds a lab with learning_rate = 0\.001, now 0\.01 is asked for"):
        made(whole, PLAN.model_copy(update={"learning_rate": 0.01}))
    (tmp_path / "notes.txt").write_text("mine")
    with pytest.raises(InputError, match="holds something other than a lab"):
        made(tmp_path)


def test_a_damaged_state_is_refused_by_name(tmp_path: Path) -> None:
    out = tmp_path / "out"
    assert not made(out, stop_at=3)
    state = run_folder(out, GROKKING, 8, 1) / "resume.pt"
    state.write_bytes(state.read_bytes()[:100])
    with pytest.raises(InputError, match=r"resume\.pt is damaged .* delete it"):
        made(out)


def test_a_loss_that_is_not_finite_ends_the_lab_with_a_sentence(tmp_path: Path) -> None:
    plan = PLAN.model_copy(update={"learning_rate": 1e30, "warmup": 0})
    with pytest.raises(InputError, match=r"the loss of grokking d8 seed 1 is nan at step \d+; use a learning rate"):
        made(tmp_path / "out", plan)
