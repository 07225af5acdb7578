"""A study leaves out what is in quarantine, says why, and takes it up again when the list is lifted."""

from dataclasses import dataclass, field
from pathlib import Path

import pytest
from sample_runs import write_pico_run

import gradcascade as gc
from gradcascade.errors import InputError
from gradcascade.sources.audit.quarantine_list import Conventions, Entry, Quarantine, write_quarantine
from gradcascade.sources.base import RunName
from gradcascade.sources.folder import FolderSource
from gradcascade.study import runner
from gradcascade.study.plan import FamilyPlan, NullPlan, Plan
from gradcascade.study.quarantine import check_quarantine, keep_quarantine, quarantined

STEPS = (0, 10, 20)


@pytest.fixture
def runs(tmp_path: Path) -> Path:
    for width in (6, 12, 18):
        write_pico_run(tmp_path / "runs" / f"tiny-d{width}", STEPS, width, blocks=2)
    return tmp_path / "runs"


def plan(**changes) -> Plan:
    family = FamilyPlan.model_validate({"name": "tiny", "path": "../runs"} | changes)
    return Plan(families=(family,), nulls=NullPlan(kinds=()))


def listed(*entries: tuple[str, str, int], family: str = "tiny", **conventions: str) -> Quarantine:
    return Quarantine(
        (Conventions.model_validate({"name": family} | conventions),),
        tuple(Entry(family, scale, "0", field, step, note=f"no {field} of {step}") for scale, field, step in entries),
    )


def measured(folder: Path, asked: Plan | None = None):
    with gc.Study.create(folder, asked or plan()) as study:
        outcome = gc.run(study)
        return outcome, study.cascades(), study.refusals()


def test_what_is_in_quarantine_is_not_even_read(runs: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write_quarantine(listed(("d12", "update", 10), ("d6", "gradient", 0)), tmp_path / "study" / "quarantine.toml")
    load, read = gc.sources.SnapshotRef.load, []
    monkeypatch.setattr(
        gc.sources.SnapshotRef, "load", lambda self: read.append((self.scale, self.field, self.step)) or load(self)
    )
    outcome, table, refusals = measured(tmp_path / "study")
    assert (outcome.measured, outcome.refused) == (13, ())
    assert sorted(outcome.quarantined) == [
        "d12, step 10, update: no update of 10", "d6, step 0, gradient: no gradient of 0",
    ]  # fmt: skip
    left_out = {("d12", "update", 10), ("d6", "gradient", 0)}
    assert len(read) == 13 and not left_out & set(read)
    assert not left_out & set(table.select("scale", "field", "step").rows())
    assert set(refusals.select("scale", "field", "step", "reason").rows()) == {
        ("d12", "update", 10, "in quarantine: no update of 10"),
        ("d6", "gradient", 0, "in quarantine: no gradient of 0"),
    }


def test_a_list_that_comes_later_takes_out_what_was_measured(runs: Path, tmp_path: Path) -> None:
    path = tmp_path / "study" / "quarantine.toml"
    _, everything, _ = measured(tmp_path / "study")
    write_quarantine(listed(("d12", "update", 10)), path)
    outcome, table, refusals = measured(tmp_path / "study")
    assert (outcome.measured, outcome.known, table.height) == (0, 14, everything.height - 1)
    assert refusals["reason"].to_list() == ["in quarantine: no update of 10"]
    path.unlink()
    outcome, table, refusals = measured(tmp_path / "study")
    assert (outcome.measured, outcome.known, outcome.quarantined) == (0, 15, ())  # nothing was lost
    assert table.equals(everything) and refusals.is_empty()


@pytest.mark.parametrize(
    ("quarantine", "asked", "words"),
    [
        (listed(label="earlier"), {}, "label = earlier"),
        (listed(gradients="val"), {}, "gradients = val"),
        (listed(("d99", "update", 10)), {}, "d99"),
        (listed(), {"label": "earlier"}, "label = later"),
    ],
)
def test_a_list_that_does_not_fit_stops_the_run(
    runs: Path, tmp_path: Path, quarantine: Quarantine, asked: dict, words: str
) -> None:
    write_quarantine(quarantine, tmp_path / "study" / "quarantine.toml")
    with pytest.raises(InputError, match=words):
        measured(tmp_path / "study", plan(**asked))


def test_a_list_about_another_family_is_refused_when_given(runs: Path, tmp_path: Path) -> None:
    write_quarantine(listed(family="nano"), tmp_path / "q.toml")
    with pytest.raises(InputError, match=r"'nano'.*'tiny'"):
        check_quarantine(tmp_path / "q.toml", plan())


def test_a_study_keeps_the_list_it_was_given(runs: Path, tmp_path: Path) -> None:
    own = tmp_path / "study" / "quarantine.toml"
    write_quarantine(listed(("a", "update", 1), family="nano"), own)
    write_quarantine(listed(("d6", "update", 10)), tmp_path / "q.toml")
    keep_quarantine(tmp_path / "q.toml", tmp_path / "study")
    kept = own.read_bytes()
    assert b"nano" in kept and b"tiny" in kept
    keep_quarantine(own, tmp_path / "study")
    assert own.read_bytes() == kept


@dataclass(frozen=True)
class PublishedSource(FolderSource):
    """A folder that says it was published, as a source of a hub does."""

    repositories: dict[RunName, str] = field(default_factory=dict)
    checkpoints: dict[RunName, tuple[int, ...]] = field(default_factory=dict)


def test_known_corruption_of_a_published_family_is_left_out(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    steps = (0, 1, 2, 4, 49_000, 50_000, 51_000)
    for width, name in ((6, "70m"), (12, "1b"), (18, "12b")):
        write_pico_run(tmp_path / "runs" / f"tiny-{name}", steps, width, blocks=2)

    def published(folder: Path, family: FamilyPlan) -> PublishedSource:
        found = original(folder, family)
        assert isinstance(found, FolderSource)
        names = {name: f"EleutherAI/pythia-{name.scale}" for name in found.runs}
        return PublishedSource(**vars(found), repositories=names, checkpoints=dict.fromkeys(found.runs, steps))

    original = runner.open_source
    monkeypatch.setattr(runner, "open_source", published)
    outcome, table, refusals = measured(tmp_path / "study", plan(fields=("update",)))
    left_out = set(refusals.select("scale", "step").rows())
    assert left_out == {("12b", 50_000), ("12b", 51_000)}  # zero first differences have no cascade anyway
    assert outcome.measured == 18 - 2 and not left_out & set(table.select("scale", "step").rows())
    reasons = {(scale, step): reason for scale, step, reason in refusals.select("scale", "step", "reason").rows()}
    assert "pythia/issues/206" in reasons["12b", 51_000]
    family = plan(fields=("update",), label="earlier").families[0]
    source = published(tmp_path / "study", family)
    earlier = quarantined(tmp_path / "study", [(family, source)], source.snapshots())
    assert {(name.scale, name.step) for name in earlier if name.scale == "12b"} == {("12b", 49_000), ("12b", 50_000)}


def test_the_others_are_not_held_against_a_gradient_in_quarantine(runs: Path, tmp_path: Path) -> None:
    write_pico_run(tmp_path / "other" / "x", STEPS[:1], 12, blocks=2)
    gradients = Path("checkpoints", "step_0", "learning_dynamics", "train_gradients.pt")
    (runs / "tiny-d6" / gradients).write_bytes((tmp_path / "other" / "x" / gradients).read_bytes())
    (runs / "tiny-d6" / "checkpoints" / "step_20" / "learning_dynamics" / "train_gradients.pt").unlink()
    asked = plan(fields=("gradient",))
    assert len(measured(tmp_path / "study", asked)[0].refused) >= 1  # which of the two is wrong is not known
    write_quarantine(listed(("d6", "gradient", 0)), tmp_path / "study" / "quarantine.toml")
    outcome, table, _ = measured(tmp_path / "study", asked)
    assert outcome.refused == ()
    assert sorted(table.filter(table["scale"] == "d6")["step"]) == [10]
