"""Faults planted in imitation families: each is found, named with its scale and step, and quarantined."""

import json
import shutil
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from imitation_family import (
    GRADIENT_STEPS,
    STEPS,
    Tensors,
    changed_file,
    copied,
    gradient,
    gradient_path,
    training,
    weights,
    write_checkpoint,
    write_family,
    write_gradient_family,
)
from pydantic import TypeAdapter
from sample_runs import save_safetensors

from gradcascade.sources.audit import FAULT, NOTE, WARNING, audit_family
from gradcascade.sources.audit.evidence import CHECKS

SEED = 7


@pytest.fixture(scope="module")
def families(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    folder = tmp_path_factory.mktemp("families")
    write_family(folder / "safetensors", SEED)
    write_family(folder / "bin", SEED, "bin")
    write_gradient_family(folder / "gradients", SEED)
    return {path.name: path for path in folder.iterdir()}


def place(root: Path, step: int, width: int = 12) -> Path:
    return root / f"imitation-w{width}" / f"step{step}"


def model(root: Path, step: int, width: int = 12) -> Path:
    return place(root, step, width) / "model.safetensors"


def shard(root: Path, step: int, number: int = 1) -> Path:
    return place(root, step) / f"pytorch_model-{number:05}-of-00002.bin"


def between(step: int, late: int) -> Tensors:
    """Weights that were never published: half way from one checkpoint to another."""
    run = training(1000 * SEED + 12, 12)
    return {name: (run[step][name] + run[late][name]) / 2 for name in run[step]}


def plant_missing_step(root: Path) -> None:
    shutil.rmtree(place(root, 400))


def plant_missing_power(root: Path) -> None:
    shutil.rmtree(place(root, 4))


def plant_missing_end(root: Path) -> None:
    shutil.rmtree(place(root, 800))


def plant_identical_files(root: Path) -> None:
    copied(place(root, 800), place(root, 100))


def plant_identical_start(root: Path) -> None:
    for step in (1, 2):
        copied(place(root, 0), place(root, step))


def plant_identical_numbers(root: Path) -> None:
    shutil.copyfile(model(root, 300), model(root, 400))
    changed_file(model(root, 400), lambda tensors: dict(reversed(tensors.items())))
    resaved_with_metadata(model(root, 400), {"format": "pt"})


def plant_signed_zeros(root: Path) -> None:
    shutil.copyfile(model(root, 0), model(root, 1))
    changed_file(
        model(root, 1), lambda tensors: {name: np.where(v == 0, np.float16(-0.0), v) for name, v in tensors.items()}
    )


def plant_nearly_zero(root: Path) -> None:
    def few(tensors: Tensors) -> Tensors:
        tensors["head.weight"][:2] += np.float16(0.01)
        return tensors

    shutil.copyfile(model(root, 300), model(root, 400))
    changed_file(model(root, 400), few)


def plant_late_weights(root: Path) -> None:
    write_checkpoint(between(700, 800), place(root, 100))


def plant_late_stretch(root: Path) -> None:
    run = training(1000 * SEED + 12, 12)
    rng = np.random.default_rng(0)
    for step in (0, 1, 2, 4, 8, 16, 100):
        last = {name: values + rng.normal(0, 2e-4, values.shape) for name, values in run[800].items()}
        write_checkpoint(last, place(root, step))


def plant_other_run(root: Path) -> None:
    write_checkpoint(training(99, 12)[500], place(root, 500))


def plant_other_start(root: Path) -> None:
    write_checkpoint(weights(np.random.default_rng(99), 12), place(root, 0))


def plant_change_of_run(root: Path) -> None:
    other = training(99, 12)
    for step in (500, 600, 700, 800):
        write_checkpoint(other[step], place(root, step))


def plant_sign(root: Path) -> None:
    changed_file(model(root, 500), lambda tensors: {name: -values for name, values in tensors.items()})


def plant_swapped_labels(root: Path) -> None:
    place(root, 300).rename(root / "aside")
    place(root, 400).rename(place(root, 300))
    (root / "aside").rename(place(root, 400))


def plant_foreign_tensor(root: Path) -> None:
    other = training(99, 12)[500]["layers.1.mlp.weight"].astype(np.float16)
    changed_file(model(root, 500), lambda tensors: tensors | {"layers.1.mlp.weight": other})


def plant_stale_tensor(root: Path) -> None:
    old = training(1000 * SEED + 12, 12)[400]["embed.weight"].astype(np.float16)
    changed_file(model(root, 500), lambda tensors: tensors | {"embed.weight": old})


def plant_early_tensor(root: Path) -> None:
    old = training(1000 * SEED + 12, 12)[16]["embed.weight"].astype(np.float16)
    changed_file(model(root, 500), lambda tensors: tensors | {"embed.weight": old})


def plant_coarse(root: Path) -> None:
    rng = np.random.default_rng(0)

    def barely(tensors: Tensors) -> Tensors:
        return {name: (v + rng.normal(0, 3e-6, v.shape)).astype(np.float16) for name, v in tensors.items()}

    shutil.copyfile(model(root, 300), model(root, 400))
    changed_file(model(root, 400), barely)


def plant_trainer_state(root: Path) -> None:
    for step in STEPS:
        (place(root, step) / "trainer_state.json").write_text(json.dumps({"global_step": step}))
    (place(root, 300) / "trainer_state.json").write_text('{"global_step": 350}')


def plant_deepspeed_tag(root: Path) -> None:
    for step in STEPS:
        (place(root, step) / "latest").write_text(f"global_step{step}")
    (place(root, 300) / "latest").write_text("global_step800\n")


def resaved_with_metadata(path: Path, metadata: dict[str, str]) -> None:
    import safetensors.numpy

    safetensors.numpy.save_file(safetensors.numpy.load_file(path), path, metadata)


def plant_metadata(root: Path) -> None:
    for step in STEPS:
        resaved_with_metadata(model(root, step), {"step": str(800 if step == 300 else step)})


def plant_step_tensor(root: Path) -> None:
    for step in STEPS:
        said = np.array([301 if step == 300 else step])
        changed_file(model(root, step), lambda tensors, said=said: tensors | {"step": said})


def plant_nan(root: Path) -> None:
    def spoil(tensors: Tensors) -> Tensors:
        tensors["layers.0.mlp.weight"][3, 4] = np.nan
        return tensors

    changed_file(model(root, 300), spoil)


def plant_infinity(root: Path) -> None:
    def spoil(tensors: Tensors) -> Tensors:
        tensors["layers.0.mlp.bias"][0] = np.inf
        return tensors

    changed_file(model(root, 300), spoil)


def plant_lost_tensor(root: Path) -> None:
    changed_file(model(root, 300), lambda tensors: {n: v for n, v in tensors.items() if n != "layers.0.norm.weight"})


def plant_shape(root: Path) -> None:
    changed_file(model(root, 300), lambda tensors: tensors | {"embed.weight": tensors["embed.weight"].T.copy()})


def plant_zero_tensor(root: Path) -> None:
    changed_file(model(root, 300), lambda tensors: tensors | {"head.weight": np.zeros_like(tensors["head.weight"])})


def plant_stored_type(root: Path) -> None:
    write_checkpoint(training(1000 * SEED + 12, 12)[300], place(root, 300), dtype="float32")


def plant_cut_file(root: Path) -> None:
    path = model(root, 300)
    path.write_bytes(path.read_bytes()[:-500])


def plant_empty_file(root: Path) -> None:
    model(root, 300).write_bytes(b"")


def plant_pointer(root: Path) -> None:
    model(root, 300).write_text("version https://git-lfs.github.com/spec/v1\noid sha256:0\nsize 1\n")


def plant_missing_file(root: Path) -> None:
    model(root, 300).unlink()


def plant_other_scale(root: Path) -> None:
    write_checkpoint(training(1000 * SEED + 12, 12)[300], place(root, 300, width=8))
    shutil.copyfile(model(root, 300), model(root, 300, width=8))


def plant_shard_of_another_step(root: Path) -> None:
    shutil.copyfile(shard(root, 800), shard(root, 300))


def plant_unpublished_shard(root: Path) -> None:
    late = between(700, 800)
    changed_file(shard(root, 300), lambda tensors: {name: late[name].astype(np.float16) for name in tensors})


def plant_missing_shard(root: Path) -> None:
    shard(root, 300, 2).unlink()


def gradient_file(root: Path, step: int, width: int = 12) -> Path:
    return gradient_path(root, width, step)


def plant_gradient_again(root: Path) -> None:
    shutil.copyfile(gradient_file(root, 400), gradient_file(root, 500))


def plant_gradient_resaved(root: Path) -> None:
    shutil.copyfile(gradient_file(root, 400), gradient_file(root, 500))
    changed_file(
        gradient_file(root, 500), lambda tensors: {n: np.where(v == v.max(), v, v) for n, v in tensors.items()}
    )
    changed_file(gradient_file(root, 500), lambda tensors: {n: v.astype(np.float64) for n, v in tensors.items()})


def plant_gradient_scaled(root: Path) -> None:
    shutil.copyfile(gradient_file(root, 400), gradient_file(root, 500))
    changed_file(gradient_file(root, 500), lambda tensors: {n: v * np.float32(1.7) for n, v in tensors.items()})


def plant_zero_gradient(root: Path) -> None:
    changed_file(gradient_file(root, 500), lambda tensors: {n: np.zeros_like(v) for n, v in tensors.items()})


def plant_zero_part(root: Path) -> None:
    name = "_forward_module.layers.1.attention.o_proj"
    changed_file(gradient_file(root, 500), lambda tensors: tensors | {name: np.zeros_like(tensors[name])})


def plant_loss_scale(root: Path) -> None:
    changed_file(gradient_file(root, 500), lambda tensors: {n: v * np.float32(65536) for n, v in tensors.items()})


def plant_gradient_nan(root: Path) -> None:
    changed_file(gradient_file(root, 500), lambda tensors: {n: np.full_like(v, np.nan) for n, v in tensors.items()})


def plant_gradient_of_another_model(root: Path) -> None:
    rng = np.random.default_rng(1)
    changed_file(gradient_file(root, 500), lambda tensors: gradient(rng, 16, 500))


def plant_missing_gradient(root: Path) -> None:
    gradient_file(root, 500).unlink()


def plant_exchanged_names(root: Path) -> None:
    def exchange(tensors: Tensors) -> Tensors:
        one, other = "layers.0.attention.weight", "layers.1.attention.weight"
        return tensors | {one: tensors[other], other: tensors[one]}

    changed_file(model(root, 300), exchange)


def plant_exchanged_gains(root: Path) -> None:
    def exchange(tensors: Tensors) -> Tensors:
        one, other = "layers.0.mlp.bias", "layers.1.mlp.bias"
        return tensors | {one: tensors[other], other: tensors[one]}

    changed_file(model(root, 300), exchange)


def plant_transposed(root: Path) -> None:
    name = "layers.1.attention.weight"
    changed_file(model(root, 300), lambda tensors: tensors | {name: np.ascontiguousarray(tensors[name].T)})


def plant_odd_tensor(root: Path) -> None:
    name = "layers.1.norm.weight"
    changed_file(model(root, 300), lambda tensors: tensors | {name: tensors[name] * np.float16(1.06)})


def plant_unwritten_part(root: Path) -> None:
    def spoil(tensors: Tensors) -> Tensors:
        changed = tensors["_forward_module.layers.1.attention.o_proj"].copy()
        changed[:8] = 0
        return tensors | {"_forward_module.layers.1.attention.o_proj": changed}

    changed_file(gradient_file(root, 500), spoil)


def plant_rounded(root: Path) -> None:
    def rounded(values: np.ndarray) -> np.ndarray:
        return (values.view(np.uint32) & np.uint32(0xFFFF0000)).view(np.float32)

    changed_file(gradient_file(root, 500), lambda tensors: {name: rounded(value) for name, value in tensors.items()})


def plant_copied_gradient(root: Path) -> None:
    name, before = "_forward_module.layers.1.attention.o_proj", {}
    changed_file(gradient_file(root, 400), lambda tensors: before.update(tensors) or tensors)
    changed_file(gradient_file(root, 500), lambda tensors: tensors | {name: before[name]})


SAFE, BIN, GRADIENTS = "safetensors", "bin", "gradients"
Plant = Callable[[Path], None]

FAULTS: list[tuple[str, Plant, str, str, tuple[int, ...], tuple[int, ...]]] = [
    # family, fault, kind of the finding, its severity, its steps, labels of the quarantined snapshots
    (SAFE, plant_missing_step, "missing-step", FAULT, (400,), (500,)),
    (SAFE, plant_missing_power, "missing-step", FAULT, (4,), (8,)),
    (SAFE, plant_missing_end, "missing-step", WARNING, (800,), ()),
    (SAFE, plant_identical_files, "identical-files", FAULT, (100, 800), (100, 200)),
    (SAFE, plant_identical_start, "identical-files", FAULT, (0, 1, 2), (1, 2, 4)),
    (SAFE, plant_identical_numbers, "identical-contents", FAULT, (300, 400), (300, 400, 500)),
    (SAFE, plant_signed_zeros, "identical-contents", FAULT, (0, 1), (1, 2)),
    (SAFE, plant_nearly_zero, "nearly-zero", FAULT, (300, 400), (400,)),
    (SAFE, plant_late_weights, "late-weights", FAULT, (100,), (100, 200)),
    (SAFE, plant_other_run, "foreign-weights", FAULT, (500,), (500, 600)),
    (SAFE, plant_other_start, "norm-outlier", FAULT, (0, 1), (1,)),
    (SAFE, plant_change_of_run, "norm-outlier", FAULT, (400, 500), (500,)),
    (SAFE, plant_sign, "foreign-weights", FAULT, (500,), (500, 600)),
    (SAFE, plant_swapped_labels, "swapped-labels", FAULT, (300, 400), (300, 400, 500)),
    (SAFE, plant_foreign_tensor, "foreign-part", FAULT, (500,), (500, 600)),
    (SAFE, plant_stale_tensor, "stale-part", FAULT, (400, 500), (400, 500, 600)),
    (SAFE, plant_early_tensor, "copied-part", FAULT, (16, 500), (16, 100, 500, 600)),
    (SAFE, plant_coarse, "coarse", FAULT, (300, 400), (400,)),
    (SAFE, plant_trainer_state, "label", FAULT, (300,), (300, 400)),
    (SAFE, plant_deepspeed_tag, "label", FAULT, (300,), (300, 400)),
    (SAFE, plant_metadata, "label", FAULT, (300,), (300, 400)),
    (SAFE, plant_step_tensor, "label", FAULT, (300,), (300, 400)),
    (SAFE, plant_nan, "not-finite", FAULT, (300,), (300, 400)),
    (SAFE, plant_infinity, "not-finite", FAULT, (300,), (300, 400)),
    (SAFE, plant_lost_tensor, "structure", FAULT, (300,), (300, 400)),
    (SAFE, plant_shape, "structure", FAULT, (300,), (300, 400)),
    (SAFE, plant_zero_tensor, "zero-tensor", FAULT, (300,), (300, 400)),
    (SAFE, plant_stored_type, "stored-type", WARNING, (300,), ()),
    (SAFE, plant_cut_file, "unreadable", FAULT, (300,), (300, 400)),
    (SAFE, plant_empty_file, "odd-size", FAULT, (300,), (300, 400)),
    (SAFE, plant_pointer, "unreadable", FAULT, (300,), (300, 400)),
    (SAFE, plant_missing_file, "missing-file", FAULT, (300,), (400,)),
    (SAFE, plant_exchanged_names, "exchanged-names", FAULT, (300, 400), (300, 400)),
    (SAFE, plant_exchanged_gains, "exchanged-names", FAULT, (200, 300), (300, 400)),
    (SAFE, plant_transposed, "transposed", FAULT, (200, 300), (300, 400)),
    (SAFE, plant_odd_tensor, "odd-tensor", WARNING, (300,), ()),
    (BIN, plant_shard_of_another_step, "identical-shard", FAULT, (300, 800), (300, 400)),
    (BIN, plant_unpublished_shard, "late-part", FAULT, (300,), (300, 400)),
    (BIN, plant_missing_shard, "missing-shard", FAULT, (300,), (300, 400)),
    (GRADIENTS, plant_gradient_again, "identical-files", FAULT, (400, 500), (400, 500)),
    (GRADIENTS, plant_gradient_resaved, "identical-contents", FAULT, (400, 500), (400, 500)),
    (GRADIENTS, plant_gradient_scaled, "scaled-copy", FAULT, (400, 500), (400, 500)),
    (GRADIENTS, plant_zero_gradient, "zero-gradient", FAULT, (500,), (500,)),
    (GRADIENTS, plant_zero_part, "zero-tensor", FAULT, (500,), (500,)),
    (GRADIENTS, plant_loss_scale, "norm-outlier", WARNING, (500,), ()),
    (GRADIENTS, plant_gradient_nan, "not-finite", FAULT, (500,), (500,)),
    (GRADIENTS, plant_gradient_of_another_model, "structure", FAULT, (500,), (500,)),
    (GRADIENTS, plant_unwritten_part, "partly-zero", WARNING, (500,), ()),
    (GRADIENTS, plant_rounded, "rounded", WARNING, (500,), ()),
    (GRADIENTS, plant_copied_gradient, "copied-gradient", FAULT, (400, 500), (400, 500)),
    (GRADIENTS, plant_missing_gradient, "missing-file", WARNING, (500,), ()),
]


@pytest.mark.parametrize(
    ("family", "plant", "kind", "severity", "steps", "quarantined"),
    FAULTS,
    ids=[plant.__name__.removeprefix("plant_") for _, plant, *_ in FAULTS],
)
def test_a_planted_fault_is_found(
    families: dict[str, Path],
    tmp_path: Path,
    family: str,
    plant: Plant,
    kind: str,
    severity: str,
    steps: tuple[int, ...],
    quarantined: tuple[int, ...],
) -> None:
    root = shutil.copytree(families[family], tmp_path / "family")
    plant(root)
    audit = audit_family(root)
    named = [(f.code, f.severity, f.scale, f.steps) for f in audit.findings]
    assert (kind, severity, "w12", steps) in named
    assert {f.scale for f in audit.findings if f.severity != NOTE} == {"w12"}
    assert all(f.sentence and "\n" not in f.sentence for f in audit.findings)
    for found in audit.findings:
        told = json.loads(json.dumps(found.as_dict()))
        assert TypeAdapter(CHECKS[told["code"]]).validate_python(told["data"]) == found.evidence
    ended = {(o.scale, o.code): o.outcome for o in audit.outcomes}
    failed = {(f.scale, f.code) for f in audit.findings if f.severity != NOTE}
    assert {name for name, outcome in ended.items() if outcome == "failed"} == failed
    field = "gradient" if family == GRADIENTS else "update"
    assert [(e.scale, e.field, e.step) for e in audit.entries] == [("w12", field, step) for step in quarantined]


def test_every_check_fails_for_a_planted_fault_here_or_in_the_tests_named() -> None:
    elsewhere = {
        "identical-across-scales": "test_a_file_shared_by_two_scales_spoils_only_the_one_it_does_not_fit",
        "known": "test_listing_checks.py",
        "outside-link": "test_listing_checks.py",
        "frozen": "test_frozen.py",
        "twins": "test_tensor_checks.py",
    }
    planted = {code for _, _, code, *_ in FAULTS}
    assert planted | set(elsewhere) == set(CHECKS)


def test_a_stretch_of_late_weights_is_found(families: dict[str, Path], tmp_path: Path) -> None:
    root = shutil.copytree(families[SAFE], tmp_path / "family")
    plant_late_stretch(root)
    audit = audit_family(root)
    late = [f.steps[0] for f in audit.findings if f.code == "late-weights" and f.scale == "w12"]
    assert late == [0, 1, 2, 4, 8, 16, 100]
    assert {e.step for e in audit.entries} == {1, 2, 4, 8, 16, 100, 200}
    assert {f.scale for f in audit.findings} == {"w12"}


@pytest.mark.parametrize("contents", [True, False])
def test_a_file_shared_by_two_scales_spoils_only_the_one_it_does_not_fit(
    families: dict[str, Path], tmp_path: Path, contents: bool
) -> None:
    root = shutil.copytree(families[SAFE], tmp_path / "family")
    shutil.copyfile(model(root, 300, 12), model(root, 300, 8))
    audit = audit_family(root, contents=contents)
    found = {(f.code, f.severity, f.scale, f.steps) for f in audit.findings}
    assert {
        ("identical-across-scales", NOTE, "w12", (300,)),
        ("identical-across-scales", FAULT, "w8", (300,)),
    } <= found
    assert (("structure", FAULT, "w8", (300,)) in found) == contents
    assert {(e.scale, e.step) for e in audit.entries} == {("w8", 300), ("w8", 400)}


def test_structure_tells_whose_a_shared_file_is_where_its_size_does_not(tmp_path: Path) -> None:
    rng = np.random.default_rng(SEED)
    for name, shape in (("w1", (24, 40)), ("w2", (40, 24))):
        for step in range(0, 500, 100):
            write_checkpoint({"a": rng.normal(size=shape)}, tmp_path / f"nano-{name}" / f"step{step}")
    wide, high = (tmp_path / f"nano-{name}" / "step200" / "model.safetensors" for name in ("w1", "w2"))
    assert wide.stat().st_size == high.stat().st_size
    shutil.copyfile(wide, high)
    both = {("w1", 200), ("w1", 300), ("w2", 200), ("w2", 300)}
    by_hashes = {(e.scale, e.step) for e in audit_family(tmp_path, contents=False).entries}
    audit = audit_family(tmp_path)
    shared = {(f.severity, f.scale) for f in audit.findings if f.code == "identical-across-scales"}
    assert (by_hashes, shared) == (both, {(NOTE, "w1"), (FAULT, "w2")})
    reasons = " ".join(e.reason for e in audit.entries if e.scale == "w1")
    assert "identical" not in reasons


def test_a_file_shared_by_two_runs_of_one_size_spoils_both(families: dict[str, Path], tmp_path: Path) -> None:
    root = shutil.copytree(families[SAFE], tmp_path / "family")
    shutil.rmtree(root / "imitation-w8")
    for step, tensors in training(5, 12).items():
        write_checkpoint(tensors, root / "imitation-w8" / f"step{step}")
    shutil.copyfile(model(root, 300, 12), model(root, 300, 8))
    entries = audit_family(root, contents=False).entries
    assert {(e.scale, e.step) for e in entries} == {("w8", 300), ("w8", 400), ("w12", 300), ("w12", 400)}


def test_many_faults_at_once_are_told_apart(families: dict[str, Path], tmp_path: Path) -> None:
    root = shutil.copytree(families[SAFE], tmp_path / "family")
    plant_identical_start(root)
    plant_nan(root)
    plant_other_run(root)
    found = {(f.code, f.steps) for f in audit_family(root).findings}
    assert found == {("identical-files", (0, 1, 2)), ("not-finite", (300,)), ("foreign-weights", (500,))}


def test_without_contents_only_the_listing_speaks(families: dict[str, Path], tmp_path: Path) -> None:
    root = shutil.copytree(families[SAFE], tmp_path / "family")
    plant_other_run(root)
    plant_identical_files(root)
    found = {(f.code, f.steps) for f in audit_family(root, contents=False).findings}
    assert found == {("identical-files", (100, 800))}


def test_the_earlier_step_labels_a_quarantined_update_if_asked(families: dict[str, Path], tmp_path: Path) -> None:
    root = shutil.copytree(families[SAFE], tmp_path / "family")
    plant_other_run(root)
    assert [e.step for e in audit_family(root, label="earlier").entries] == [400, 500]


def test_bfloat16_is_coarser_than_float16(tmp_path: Path) -> None:
    import torch

    rng = np.random.default_rng(0)
    values = rng.normal(0, 0.02, 20_000)
    for step in range(0, 800, 100):
        for name, dtype in (("half", torch.float16), ("brain", torch.bfloat16)):
            folder = tmp_path / name / "run" / f"step{step}"
            folder.mkdir(parents=True)
            torch.save({"w": torch.from_numpy(values).to(dtype)}, folder / "pytorch_model.bin")
        values = values + rng.normal(0, 7e-5, values.shape)
    assert [f for f in audit_family(tmp_path / "half").findings if f.code == "coarse"] == []
    coarse = [f for f in audit_family(tmp_path / "brain").findings if f.code == "coarse"]
    assert [f.steps for f in coarse] == [(step, step + 100) for step in range(0, 700, 100)]


def test_validation_gradients_are_audited_by_themselves(families: dict[str, Path], tmp_path: Path) -> None:
    root = shutil.copytree(families[GRADIENTS], tmp_path / "family")
    for step in GRADIENT_STEPS:
        shutil.copyfile(gradient_file(root, step), gradient_path(root, 12, step, "val"))
    shutil.copyfile(gradient_path(root, 12, 400, "val"), gradient_path(root, 12, 500, "val"))
    assert [f for f in audit_family(root).findings if f.severity != NOTE] == []
    assert [e.step for e in audit_family(root, gradients="val").entries] == [400, 500]


def test_precision_is_judged_over_the_tensors_that_are_measured(tmp_path: Path) -> None:
    """A third of the entries hardly moves at one step: a field of these alone is lost, a field of all is not."""
    rng = np.random.default_rng(0)
    large, small = rng.normal(size=(80, 40)), rng.normal(size=(40, 40))
    for step in range(0, 60, 10):
        large += 0.1 * rng.normal(size=large.shape)
        small += 0.1 * (rng.normal(size=small.shape) if step != 30 else rng.random(small.shape) < 0.03)
        tensors = {"embedding": large.astype(np.float16), "block": small.astype(np.float16)}
        save_safetensors(tensors, tmp_path / f"step_{step}" / "model.safetensors")
    assert audit_family(tmp_path).findings == ()
    (found,) = audit_family(tmp_path, select=["blo*"]).findings
    assert (found.code, found.steps) == ("coarse", (20, 30))
