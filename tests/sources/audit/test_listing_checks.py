"""What names, sizes and hashes tell: schedules, doubles, and the corruption known of what is published."""

import hashlib
import json
from pathlib import Path

import pytest
from audit_listings import list_folder, listing_from_files
from hypothesis import given
from hypothesis import strategies as st
from imitation_family import STEPS, training, write_checkpoint, write_family

from gradcascade.families import all_faults
from gradcascade.sources.audit import FAULT, NOTE, WARNING
from gradcascade.sources.audit.family_audit import audit_family, audit_listing
from gradcascade.sources.audit.regular_steps import missing_steps
from gradcascade.sources.trees.base import TreeFile

PYTHIA = [0, *(1 << i for i in range(10)), *range(1000, 144_000, 1000)]
PICO = list(range(0, 126_000, 1000))


def digest(*parts: object) -> str:
    return hashlib.sha256(repr(parts).encode()).hexdigest()


def published(name: str, shards: int = 1) -> dict[int, list[TreeFile]]:
    """A repository as Pythia's are: 154 steps, each with its own files, and some that never change."""
    files = {}
    for step in PYTHIA:
        weights = ["model.safetensors"]
        if shards > 1:
            weights = [f"pytorch_model-{i:05}-of-{shards:05}.bin" for i in range(1, shards + 1)]
            weights.append("pytorch_model.bin.index.json")
        numbers = [TreeFile(w, 1000, "index" if w.endswith("json") else digest(name, w, step)) for w in weights]
        files[step] = [*numbers, TreeFile("config.json", 500, "same"), TreeFile("tokenizer.json", 500, "same")]
    return files


def put(files: dict[int, list[TreeFile]], step: int, of: int, *names: str) -> None:
    """Serve the named files (or all) of another step."""
    other = {file.path: file for file in files[of]}
    files[step] = [other[file.path] if file.path in names or not names else file for file in files[step]]


@pytest.mark.parametrize("steps", [PYTHIA, PICO, STEPS, [*PICO, 125_400], [0, 7, 19], [], [5], [0, 1, 2, 4, 8]])
def test_a_whole_schedule_misses_nothing(steps: list[int]) -> None:
    assert missing_steps(steps) == []


@given(st.sampled_from([PYTHIA, PICO]), st.sets(st.integers(1, 140), min_size=1, max_size=12))
def test_every_step_within_a_schedule_is_missed(schedule: list[int], places: set[int]) -> None:
    gone = sorted({schedule[place % (len(schedule) - 2) + 1] for place in places} - {256, 512})
    assert missing_steps([step for step in schedule if step not in gone]) == gone


def test_a_selection_of_steps_is_no_schedule() -> None:
    assert missing_steps([0, 1000, 2000, 3000, 13_000, 23_000, 33_000, 143_000]) == []


def test_a_published_family_without_fault_is_only_named() -> None:
    files = {"70m": published("70m"), "160m": published("160m", shards=2), "410m": published("410m", shards=3)}
    assert audit_listing(listing_from_files("pythia", files)).findings == ()


def test_the_start_that_is_the_same_is_found_and_known() -> None:
    files = {"70m": published("70m")}
    for step in (1, 2):
        put(files["70m"], step, 0)
    listing = listing_from_files("pythia", files, {"70m": "EleutherAI/pythia-70m"})
    audit = audit_listing(listing)
    assert [(f.code, f.severity, f.steps) for f in audit.findings] == [
        ("identical-files", FAULT, (0, 1, 2)),
        ("known", WARNING, (0, 1, 2)),
    ]
    assert "pythia/issues/83" in audit.findings[1].sentence and "issues/198" in audit.findings[1].sentence
    assert [(e.field, e.step) for e in audit.entries] == [("update", 1), ("update", 2), ("update", 4)]
    assert "identical" in audit.entries[0].reason


def test_late_weights_under_most_labels_are_found_and_known() -> None:
    """As reported of pythia-2.8b: two copies of the final weights under 86 of the 154 labels."""
    files = published("2.8b")
    known = next(entry for entry in all_faults() if "2.8b" in entry.repositories[0])
    second = (54_000, *range(56_000, 60_000, 1000), *range(61_000, 65_000, 1000))
    for step in known.steps:
        put(files, step, 143_000)
        if step not in second:
            files[step] = [TreeFile("model.safetensors", 1000, "the other copy")]
    assert len(known.steps) == 85 and len(second) == 9 and set(second) <= set(known.steps)
    listing = listing_from_files("pythia", {"2.8b": files}, {"2.8b": "EleutherAI/pythia-2.8b"})
    audit = audit_listing(listing)
    doubles = [f.steps for f in audit.findings if f.code == "identical-files"]
    assert sorted(map(len, doubles)) == [10, 76]
    by_hashes = set().union(*doubles)
    assert by_hashes == {*known.steps, 143_000}
    left = set(PYTHIA[1:]) - {entry.step for entry in audit.entries}
    assert {67_000, 68_000, 69_000, 72_000, 142_000} <= left and not left & {1, 1000, 66_000, 70_000, 71_000}


def test_a_shard_of_the_last_step_is_found_and_known() -> None:
    files = published("12b", shards=3)
    for step in (50_000, 58_000):
        put(files, step, 143_000, "pytorch_model-00001-of-00003.bin")
    listing = listing_from_files("pythia", {"12b": files}, {"12b": "EleutherAI/pythia-12b"})
    audit = audit_listing(listing)
    found = {(f.code, f.steps) for f in audit.findings}
    assert ("identical-shard", (50_000, 58_000, 143_000)) in found and ("known", (50_000, 58_000)) in found
    assert {50_000, 51_000, 58_000, 59_000} <= {entry.step for entry in audit.entries}


def test_known_corruption_is_named_only_where_it_concerns() -> None:
    files = {
        "w1": {step: published("x")[step] for step in PYTHIA},
        "s9": {step: f for step, f in published("y").items() if step != 40_000},
    }
    listing = listing_from_files(
        "pythia",
        files,
        {"w1": "EleutherAI/pythia-160m-weight-seed1", "s9": "EleutherAI/pythia-410m-seed9"},
    )
    audit = audit_listing(listing)
    issues = {(f.scale, f.severity, f.steps) for f in audit.findings if f.code == "known"}
    assert issues == {("w1", FAULT, (0,)), ("s9", WARNING, (40_000,))}
    assert ("s9", (40_000,)) in {(f.scale, f.steps) for f in audit.findings if f.code == "missing-step"}
    other = listing_from_files("mine", files, {"w1": "someone/pythia-2.8b", "s9": "EleutherAI/gpt-neo"})
    assert not any(f.code == "known" for f in audit_listing(other).findings)


@pytest.mark.parametrize(("hashes", "told"), [("aaa", True), ("abc", False), ("aab", False), ("a--", True)])
def test_hashes_settle_whether_the_start_is_the_same(hashes: str, told: bool) -> None:
    files = {"70m": published("70m")}
    for step, sha256 in enumerate(hashes):
        files["70m"][step] = [TreeFile("model.safetensors", 1000, None if sha256 == "-" else sha256)]
    listing = listing_from_files("pythia", files, {"70m": "EleutherAI/pythia-70m"})
    found = [(f.severity, f.steps) for f in audit_listing(listing).findings if f.code == "known"]
    assert found == ([(WARNING, (0, 1, 2))] if told else [])


def test_a_local_run_with_the_name_of_a_corrupted_one_gets_a_note(tmp_path: Path) -> None:
    for step, tensors in training(3, 8).items():
        write_checkpoint(tensors, tmp_path / "pythia-12b" / f"step{step}")
    audit = audit_listing(list_folder(tmp_path))
    assert [(f.code, f.severity, f.steps) for f in audit.findings] == [("known", NOTE, (0, 1, 2))]
    assert audit.entries == ()


def test_files_without_hashes_are_judged_by_the_rest() -> None:
    files = {step: [TreeFile("model.safetensors", 1000, None)] for step in PYTHIA if step != 9000}
    files[7000] = [TreeFile("model.safetensors", 700, None)]
    found = {(f.code, f.steps) for f in audit_listing(listing_from_files("x", {"a": files})).findings}
    assert found == {("missing-step", (9000,)), ("odd-size", (7000,))}


def test_missing_shards_are_told_from_the_names_alone() -> None:
    files = published("12b", shards=3)
    files[5000] = [file for file in files[5000] if "00002" not in file.path]
    audit = audit_listing(listing_from_files("x", {"a": files}))
    assert [(f.code, f.steps, f.files) for f in audit.findings] == [
        ("missing-shard", (5000,), ("pytorch_model-00002-of-00003.bin",))
    ]


def test_a_trainer_that_counts_from_one_is_let_be(tmp_path: Path) -> None:
    write_family(tmp_path)
    for folder in tmp_path.glob("*/step*"):
        step = int(folder.name.removeprefix("step"))
        (folder / "trainer_state.json").write_text(json.dumps({"global_step": step + 1}))
    assert audit_listing(list_folder(tmp_path)).findings == ()


@pytest.mark.parametrize("content", ["", "[]", "{", '{"global_step": "many"}', '{"global_step": true}', "\xff"])
def test_a_trainer_state_that_states_no_step_is_let_be(tmp_path: Path, content: str) -> None:
    write_family(tmp_path)
    for folder in tmp_path.glob("*/step100"):
        (folder / "trainer_state.json").write_text(content, encoding="latin-1")
        (folder / "latest").write_text("global_step_of_nothing")
    assert audit_listing(list_folder(tmp_path)).findings == ()


def test_unused_copies_in_another_format_are_noted(tmp_path: Path) -> None:
    run = training(3, 8)
    for step, tensors in run.items():
        write_checkpoint(tensors, tmp_path / "run" / f"step{step}")
    for step in (100, 200):
        (tmp_path / "run" / f"step{step}" / "pytorch_model.bin").write_bytes(b"whatever")
    audit = audit_listing(list_folder(tmp_path))
    assert [(f.code, f.severity, f.files) for f in audit.findings] == [
        ("identical-files", NOTE, ("pytorch_model.bin",))
    ]


def test_hashes_are_those_of_the_files(tmp_path: Path) -> None:
    write_family(tmp_path, kind="bin")
    listing = list_folder(tmp_path)
    for run in listing.runs:
        for entry in run.steps:
            for file in entry.files:
                content = (tmp_path / f"imitation-{run.name.scale}" / f"step{entry.step}" / file.name).read_bytes()
                assert (file.size, file.sha256) == (len(content), hashlib.sha256(content).hexdigest())
    steps = {run.name.scale: run.steps for run in listing.runs}
    assert [len(entry.checkpoint) for entry in steps["w8"]] == [2] * len(STEPS)


def test_a_link_out_of_the_folder_is_a_finding_and_costs_its_step_alone(tmp_path: Path) -> None:
    write_family(tmp_path / "family")
    path = tmp_path / "family" / "imitation-w8" / "step100" / "model.safetensors"
    path.rename(tmp_path / "elsewhere")
    path.symlink_to(tmp_path / "elsewhere")
    (step,) = [s for run in list_folder(tmp_path / "family").runs for s in run.steps if s.led_out]
    assert (step.step, step.files, step.checkpoint, step.whole) == (100, (), (), False)
    done = audit_family(tmp_path / "family")
    (found,) = [finding for finding in done.findings if finding.severity == "fault"]
    assert (found.code, found.scale, found.steps, found.spoils) == ("outside-link", "w8", (100,), ())
    assert "allow it with --allow-links" in found.sentence
    assert not [f for f in audit_family(tmp_path / "family", links=True).findings if f.severity == "fault"]


@pytest.mark.parametrize(
    ("name", "step", "severity"),
    [
        ("pytorch_model.bin", 0, WARNING),
        ("pytorch_model.bin", 20, FAULT),
        ("model.safetensors", 0, FAULT),
    ],
)
def test_a_trainers_state_before_the_optimizers_first_step_is_no_cut_file(name, step, severity):
    sizes = {at: 77_593 if at == step else 229_943 for at in (0, 10, 20, 30)}
    files = {at: [TreeFile(name, size, digest(at))] for at, size in sizes.items()}
    found = [
        finding
        for finding in audit_listing(listing_from_files("mine", {"70m": files})).findings
        if finding.code == "odd-size"
    ]
    assert [(finding.severity, finding.steps) for finding in found] == [(severity, (step,))]
    assert bool(found[0].spoils) == (severity == FAULT)
