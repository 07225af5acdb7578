"""Checkpoints of other trainers: a folder per step, whole or in shards, parameters without buffers."""

import json
import shutil
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from sample_runs import neox_shapes, save_pt, save_safetensors, write_hollow_safetensors

from gradcascade.errors import InputError
from gradcascade.sources import discover, open_tensors
from gradcascade.sources.checkpoint import files_of, open_checkpoint
from gradcascade.sources.checkpoints import huggingface
from gradcascade.sources.choice import parameters

Tensors = dict[str, np.ndarray]
BUFFERS = ("attention.bias", "masked_bias", "inv_freq")


def model(seed: int) -> Tensors:
    rng = np.random.default_rng(seed)
    shapes = neox_shapes(width=4, blocks=2, vocabulary=10)
    return {name: rng.normal(size=shape).astype(np.float16) for name, shape in shapes.items()}


def expected_update(earlier: int, later: int, names: list[str]) -> np.ndarray:
    old, new = model(earlier), model(later)
    return np.concatenate([(new[n].astype(np.float32) - old[n].astype(np.float32)).ravel() for n in names])


def save_shards(tensors: Tensors, folder: Path, stem: str, suffix: str) -> None:
    names = list(tensors)
    shard_of = {}
    for number, part in enumerate((names[: len(names) // 2], names[len(names) // 2 :]), 1):
        file = f"{stem}-{number:05}-of-00002{suffix}"
        save = save_safetensors if suffix == ".safetensors" else save_pt
        save({name: tensors[name] for name in part}, folder / file)
        shard_of |= dict.fromkeys(part, file)
    index = {"metadata": {"total_size": 1}, "weight_map": shard_of}
    (folder / f"{stem}{suffix}.index.json").write_text(json.dumps(index))


WRITERS: dict[str, Callable[[Tensors, Path], None]] = {
    "safetensors": lambda tensors, folder: save_safetensors(tensors, folder / "model.safetensors"),
    "bin": lambda tensors, folder: save_pt(tensors, folder / "pytorch_model.bin"),
    "safetensors-shards": lambda tensors, folder: save_shards(tensors, folder, "model", ".safetensors"),
    "bin-shards": lambda tensors, folder: save_shards(tensors, folder, "pytorch_model", ".bin"),
}


def write_run(run: Path, steps: tuple[int, ...], pattern: str = "step_{}", kind: str = "safetensors") -> None:
    for step in steps:
        WRITERS[kind](model(step), run / pattern.format(step))


@pytest.mark.parametrize("kind", WRITERS)
@pytest.mark.parametrize("pattern", ["step_{}", "checkpoint-{}", "step{}", "global_step{}"])
def test_updates_of_all_parameters(tmp_path: Path, pattern: str, kind: str) -> None:
    write_run(tmp_path / "my-run", (1, 2, 1000), pattern, kind)
    source = discover(tmp_path / "my-run")
    refs = source.snapshots()
    assert (source.family, source.scales) == ("my-run", ("my-run",))
    assert [(ref.field, ref.step) for ref in refs] == [("update", 2), ("update", 1000)]
    names = [name for name in open_checkpoint(refs[1].files[0]) if not name.endswith(BUFFERS)]
    assert len(names) == 2 * 12 + 4
    if kind == "bin":
        assert names == [name for name in model(0) if not name.endswith(BUFFERS)]
    np.testing.assert_array_equal(refs[1].load(), expected_update(2, 1000, names))


@pytest.mark.parametrize("kind", ["safetensors-shards", "bin-shards"])
def test_a_replaced_shard_is_noticed_though_its_index_is_the_same(tmp_path: Path, kind: str) -> None:
    write_run(tmp_path, (1, 2), kind=kind)
    before = discover(tmp_path).snapshots()[0]
    names = list(model(0))
    assert [file.parent.name for file in before.files] == ["step_2"] * 3 + ["step_1"] * 3
    old = before.load()
    (other,) = (file for file in before.files[:3] if "00001" in file.name)
    save = save_safetensors if kind.startswith("safetensors") else save_pt
    save({name: model(7)[name] for name in names[: len(names) // 2]}, other)
    after = discover(tmp_path).snapshots()[0]
    assert after.revision != before.revision and after.source == before.source
    assert after.source.count(" minus ") == 1
    assert not np.array_equal(after.load(), old)


def test_shards_that_are_not_there_or_not_plain_names_are_left_to_the_reader(tmp_path: Path) -> None:
    index = tmp_path / "model.safetensors.index.json"
    (tmp_path / "there.safetensors").write_bytes(b"")
    named = ["there.safetensors", "gone.safetensors", "../x", "", ".", "a/b", 3, "x" * 5000, "nul\0"]
    index.write_text(json.dumps({"weight_map": dict(enumerate(named))}))
    assert files_of(index) == (index, tmp_path / "there.safetensors")
    index.write_text("[")
    assert files_of(index) == (index,)


def test_each_scale_is_a_folder(tmp_path: Path) -> None:
    for scale in ("70m", "160m"):
        write_run(tmp_path / f"pythia-{scale}-seed3", (0, 1), "step{}")
    source = discover(tmp_path)
    assert (source.family, source.scales) == ("pythia", ("70m-seed3", "160m-seed3"))


@pytest.mark.parametrize(
    ("width", "blocks", "entries"),
    [
        (128, 6, 14_067_712),
        (256, 6, 30_494_720),
        (512, 6, 70_426_624),
        (768, 12, 162_322_944),
        (1024, 24, 405_334_016),
    ],
    ids=["14m", "31m", "70m", "160m", "410m"],
)
def test_the_published_sizes_of_pythia(tmp_path: Path, width: int, blocks: int, entries: int) -> None:
    write_hollow_safetensors(neox_shapes(width, blocks), tmp_path / "model.safetensors")
    kept = parameters(open_tensors(tmp_path / "model.safetensors"))
    assert sum(tensor.size for tensor in kept.values()) == entries


def test_true_biases_and_tied_weights(tmp_path: Path) -> None:
    import torch

    shared = torch.ones(4, 2)
    torch.save(
        {
            "wte.weight": shared,
            "encoder.attention.bias": torch.zeros(2),
            "h.0.attn.bias": torch.ones(1, 1, 2, 2),
            "h.0.attn.c_attn.bias": torch.zeros(6),
            "position_ids": torch.arange(4),
            "lm_head.weight": shared,
        },
        tmp_path / "pytorch_model.bin",
    )
    kept = parameters(open_checkpoint(tmp_path / "pytorch_model.bin"))
    assert list(kept) == ["wte.weight", "encoder.attention.bias", "h.0.attn.c_attn.bias"]


def test_parameters_can_be_selected(tmp_path: Path) -> None:
    write_run(tmp_path, (0, 1))
    select = ["*.query_key_value.weight", "embed_*"]
    update = discover(tmp_path, select=select).snapshots()[0].load()
    names = ["embed_out.weight", *(f"gpt_neox.layers.{i}.attention.query_key_value.weight" for i in range(2))]
    np.testing.assert_array_equal(update, expected_update(0, 1, names))
    with pytest.raises(InputError, match=r"no tensor matches 'embed_uot\.weight'; the nearest.*'embed_out\.weight'"):
        discover(tmp_path, select=["embed_uot.weight"]).snapshots()[0].load()


def test_a_pass_opens_each_checkpoint_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write_run(tmp_path, (0, 1, 2, 4, 8))
    opened = []

    def counted(path: Path) -> dict:
        opened.append(path.parent.name)
        return open_tensors(path)

    monkeypatch.setattr(huggingface, "open_tensors", counted)
    for ref in discover(tmp_path).snapshots():
        ref.load()
    assert opened == ["step_0", "step_1", "step_2", "step_4", "step_8"]


def test_memory_of_an_update_is_the_field_and_two_tensors(tmp_path: Path) -> None:
    import tracemalloc

    for step in (0, 1):
        tensors = {f"w{i}": np.full(50_000, step, np.float16) for i in range(40)}
        save_safetensors(tensors, tmp_path / f"step_{step}" / "model.safetensors")
    ref = discover(tmp_path).snapshots()[0]
    tracemalloc.start()
    field = ref.load()
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert field.nbytes <= peak < field.nbytes + 2 * 50_000 * 4


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"a": "../outside.safetensors"}, "outside its folder; nothing there was read"),
        ({"a": "/etc/passwd"}, "outside its folder"),
        ({"a": "..\\outside.safetensors"}, "outside its folder"),
        ({"a": ".."}, "outside its folder"),
        ({"a": "linked.safetensors"}, "leads out of"),
        ({"a": "missing.safetensors"}, "does not exist"),
        ({"a": 3}, "does not exist"),
        ({"b": "one.safetensors"}, "does not place there"),
        ({"a": "one.safetensors", "b": "one.safetensors"}, "does not hold it"),
        ({}, "no weight_map"),
    ],
    ids=["up", "absolute", "backslash", "dots", "link", "missing", "number", "unlisted", "absent", "empty"],
)
def test_an_index_of_shards_that_lies(tmp_path: Path, change: dict[str, str], message: str) -> None:
    save_safetensors({"a": np.ones(3, np.float32)}, tmp_path / "outside.safetensors")
    for step in (0, 1):
        folder = tmp_path / "run" / f"step_{step}"
        save_safetensors({"a": np.ones(3, np.float32)}, folder / "one.safetensors")
        (folder / "linked.safetensors").symlink_to(tmp_path / "outside.safetensors")
        (folder / "model.safetensors.index.json").write_text(json.dumps({"weight_map": change}))
    with pytest.raises(InputError, match=message):
        discover(tmp_path / "run").snapshots()[0].load()


def test_a_link_to_a_run_elsewhere_is_refused(tmp_path: Path) -> None:
    write_run(tmp_path / "elsewhere", (0, 1))
    (tmp_path / "family").mkdir()
    (tmp_path / "family" / "run").symlink_to(tmp_path / "elsewhere")
    for ref in discover(tmp_path / "family").snapshots():
        with pytest.raises(InputError, match="leads out of"):
            ref.load()


def test_a_parameter_that_appears_or_vanishes_is_named(tmp_path: Path) -> None:
    write_run(tmp_path, (0, 1))
    tensors = model(1)
    tensors["extra.weight"] = np.ones(2, np.float16)
    save_safetensors(tensors, tmp_path / "step_1" / "model.safetensors")
    with pytest.raises(InputError, match=r"step_1.*has the tensor extra\.weight, which .*step_0.* lacks"):
        discover(tmp_path).snapshots()[0].load()


def test_one_checkpoint_makes_no_update(tmp_path: Path) -> None:
    write_run(tmp_path, (0, 1))
    shutil.rmtree(tmp_path / "step_1")
    with pytest.raises(InputError, match="an update takes two checkpoints"):
        discover(tmp_path).snapshots()


@pytest.mark.parametrize("name", ["gradients.safetensors", "train_gradients.pt", "gradients.pt"])
def test_gradients_beside_the_checkpoint_of_any_trainer(tmp_path: Path, name: str) -> None:
    for step in (1, 2):
        save = save_safetensors if name.endswith(".safetensors") else save_pt
        save(model(step), tmp_path / "my-run" / f"checkpoint-{step}" / name)
    snapshots = discover(tmp_path / "my-run", fields=("gradient",)).snapshots()
    assert [snapshot.step for snapshot in snapshots] == [1, 2]
    wanted = [tensor for tensor in model(2) if not any(buffer in tensor for buffer in BUFFERS)]
    expected = np.concatenate([model(2)[tensor].astype(np.float32).ravel() for tensor in wanted])
    assert np.array_equal(np.sort(snapshots[1].load()), np.sort(expected))


def test_gradients_of_validation_are_told_from_those_of_training(tmp_path: Path) -> None:
    save_pt(model(1), tmp_path / "run" / "step_1" / "val_gradients.pt")
    save_pt(model(2), tmp_path / "run" / "step_1" / "gradients.pt")
    by_kind = {which: discover(tmp_path, fields=("gradient",), which=which) for which in ("train", "val")}
    files = {which: source.snapshots()[0].files[0].name for which, source in by_kind.items()}
    assert files == {"train": "gradients.pt", "val": "val_gradients.pt"}


def test_scales_can_be_named(tmp_path: Path) -> None:
    write_run(tmp_path / "a" / "run-7", (1, 2))
    write_run(tmp_path / "b" / "run-9", (1, 2))
    write_run(tmp_path / "b" / "run-10", (1, 2))
    source = discover(tmp_path, "own", fields=("update",), scales={"small": "a/run-7", "large": "b/run-9"})
    assert [(s.family, s.scale, s.source.split("/")[1]) for s in source.snapshots()] == [
        ("own", "small", "run-7"),
        ("own", "large", "run-9"),
    ]
    for scales, words in (
        ({"small": "a/run-8"}, "run-8, the run of scale small, is not a folder"),
        ({"small": "a"}, "a, the run of scale small, holds no steps"),
        ({"small": "a/run-7", "large": "b/../a/run-7"}, "is named as two scales, small and large"),
        ({"small": ".."}, "leads out of"),
    ):
        with pytest.raises(InputError, match=words):
            discover(tmp_path / "a" if ".." in scales.values() else tmp_path, scales=scales)


def test_all_updates_of_a_run_have_one_order_whatever_format_each_step_has(tmp_path: Path) -> None:
    tensors = {
        step: {name: np.full(3, step * weight, np.float32) for name, weight in (("z", 1), ("a", 10), ("m", 100))}
        for step in (1, 2, 4, 8)
    }
    save_pt(tensors[1], tmp_path / "step_1" / "pytorch_model.bin")
    save_pt(tensors[2], tmp_path / "step_2" / "pytorch_model.bin")
    save_safetensors(tensors[4], tmp_path / "step_4" / "model.safetensors")
    save_safetensors(tensors[8], tmp_path / "step_8" / "model.safetensors")
    for ref, span in zip(discover(tmp_path).snapshots(), (1, 2, 4), strict=True):
        assert ref.load().tolist() == [span] * 3 + [10 * span] * 3 + [100 * span] * 3
    (tmp_path / "step_1" / "pytorch_model.bin").write_bytes(b"PK\x03\x04")
    assert [ref.load()[0] for ref in discover(tmp_path).snapshots()[1:]] == [2, 4]


def test_all_gradients_of_a_run_have_one_order_whatever_format_each_step_has(tmp_path: Path) -> None:
    tensors = {"z": np.full(3, 1, np.float32), "a": np.full(3, 2, np.float32)}
    save_pt(tensors, tmp_path / "step_1" / "gradients.pt")
    save_safetensors(tensors, tmp_path / "step_2" / "gradients.safetensors")
    for ref in discover(tmp_path).snapshots():
        assert ref.load().tolist() == [1, 1, 1, 2, 2, 2]


def test_a_first_gradient_that_lacks_a_tensor_is_refused_and_not_all_others(tmp_path: Path) -> None:
    """Experts no token was routed to have no gradient, most likely at the start."""
    for step in (0, 1, 2, 3):
        tensors = {"a": np.full(3, step, np.float32), "expert": np.full(2, step, np.float32)}
        weights = {**tensors, "frozen": np.ones(4, np.float32)}
        if step == 0:
            del tensors["expert"]
        save_pt(tensors, tmp_path / f"step_{step}" / "gradients.pt")
        save_pt(weights, tmp_path / f"step_{step}" / "pytorch_model.bin")
    gradients = [ref for ref in discover(tmp_path).snapshots() if ref.field == "gradient"]
    updates = [ref for ref in discover(tmp_path).snapshots() if ref.field == "update"]
    with pytest.raises(InputError, match=r"step_0/gradients\.pt lacks the tensor expert, which .*step_1/gradients"):
        gradients[0].load()
    assert [ref.load().tolist() for ref in gradients[1:]] == [[step] * 5 for step in (1, 2, 3)]
    assert [ref.load().size for ref in updates] == [5, 5, 5]


@pytest.mark.parametrize("folder", ["", "run", "runs/run"])
def test_steps_without_a_file_that_is_read_are_named_with_the_files_that_are(tmp_path: Path, folder: str) -> None:
    step = tmp_path / folder / "checkpoint-5"
    step.mkdir(parents=True)
    (step / "weights.bin").write_bytes(b"x")
    with pytest.raises(InputError, match=r"checkpoint-5 and the like hold no file that is read.*model\.safetensors"):
        discover(tmp_path)


def test_a_link_that_leads_nowhere_costs_its_own_updates_only(tmp_path: Path) -> None:
    write_run(tmp_path, (0, 1, 2, 3))
    (tmp_path / "step_2" / "model.safetensors").unlink()
    (tmp_path / "step_2" / "model.safetensors").symlink_to("gone.safetensors")
    refs = {ref.step: ref for ref in discover(tmp_path).snapshots()}
    assert list(refs) == [1, 2, 3]  # nothing is subtracted across the step that cannot be read
    np.testing.assert_array_equal(refs[1].load(), expected_update(0, 1, [name for name, _ in refs[1].layout() or ()]))
    for step in (2, 3):
        with pytest.raises(InputError, match=r"step_2/model\.safetensors does not exist"):
            refs[step].load()
