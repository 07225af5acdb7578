import re
from itertools import pairwise

import numpy as np
import pytest
from remote_runs import add_pythia_model, at_once, checkpoint, parameters_of, pythia_tensors

from gradcascade.errors import InputError
from gradcascade.sources.base import RunName
from gradcascade.sources.checkpoint import checkpoint_files
from gradcascade.sources.field_readers import made
from gradcascade.sources.hub_source import discover_hub
from gradcascade.sources.trees.base import TreeFile
from gradcascade.sources.trees.hub.address import Address
from gradcascade.sources.trees.hub.client import HubClient
from gradcascade.sources.trees.hub.retry import RetryPolicy
from gradcascade.sources.trees.hub.space import Space

NAME = "EleutherAI/pythia-4k"
STEPS = (0, 1, 2, 4, 512, 1000, 2000)


@pytest.fixture
def remote(hub, tmp_path):
    repository = hub.repository(NAME)
    add_pythia_model(repository, 4, STEPS, tmp_path)
    return repository


def source(hub, tmp_path, name=NAME, **options):
    client = HubClient(hub.endpoint, retry=RetryPolicy(sleep=at_once), timeout=0.5)
    places = {RunName("4k"): Address.of(name)}
    return discover_hub(client, Space(tmp_path / "space"), "pythia", "pythia", places, **options)


def update(earlier, later):
    before, after = (parameters_of(pythia_tensors(4, step)) for step in (earlier, later))
    return np.concatenate(
        [(after[name].astype(np.float32) - before[name].astype(np.float32)).reshape(-1) for name in after]
    )


def on_disk(folder):
    return sum(file.stat().st_size for file in folder.rglob("*") if file.is_file())


@pytest.mark.parametrize("kind", ["whole", "bin", "both", "shards"])
def test_every_field_is_the_difference_of_adjacent_branches(hub, tmp_path, kind):
    add_pythia_model(hub.repository(NAME), 4, STEPS, tmp_path, kind)
    found = source(hub, tmp_path)
    for ref, (earlier, later) in zip(found.snapshots(), pairwise(STEPS), strict=True):
        assert (ref.scale, ref.step, ref.field) == ("4k", later, "update")
        assert ref.source == f"{NAME}: step{later} minus step{earlier}"  # the spacing, which is unequal
        branches = hub.repositories[NAME].branches
        assert ref.revision == f"{branches[f'step{later}'][-1].sha} minus {branches[f'step{earlier}'][-1].sha}"
        expected = update(earlier, later) if kind != "bin" else None
        values = ref.load()
        if expected is not None:
            assert np.array_equal(values, expected)
        else:  # a pickle lists its tensors in the model's order
            assert np.array_equal(np.sort(values), np.sort(update(earlier, later)))
    fetched = [path for path in hub.asked("/resolve/") if not path.endswith(".json")]
    assert len(fetched) == len(set(fetched)) == len(STEPS) * (2 if kind == "shards" else 1)
    assert not any(path.endswith("config.json") for path in hub.asked("/resolve/"))
    if kind == "both":
        assert all(path.endswith(".safetensors") for path in fetched)
    found.close()


def test_buffers_are_dropped(hub, remote, tmp_path):
    found = source(hub, tmp_path)
    tensors = pythia_tensors(4, 0)
    trained = parameters_of(tensors)
    assert len(trained) == len(tensors) - 2 * 3
    assert found.snapshots()[0].load().size == sum(values.size for values in trained.values())
    found.close()


def test_at_most_two_checkpoints_lie_on_disk(hub, tmp_path, monkeypatch):
    steps = tuple(range(154))
    add_pythia_model(hub.repository(NAME), 4, steps, tmp_path)
    found = source(hub, tmp_path)
    size = found.found[0].size
    peak = []

    def look(*arguments):
        peak.append(on_disk(tmp_path / "space" / "passing"))
        return made(*arguments)

    hub.watchers.append(lambda: peak.append(on_disk(tmp_path / "space" / "passing")))
    monkeypatch.setattr("gradcascade.sources.field_readers.made", look)  # both lie there now
    for ref in found.snapshots():
        ref.load()
        peak.append(on_disk(tmp_path / "space" / "passing"))
    assert len(hub.asked("/files/")) == 154
    assert max(peak) == 2 * size
    found.close()
    assert not (tmp_path / "space" / "passing").exists()


def test_a_deleted_checkpoint_is_not_held_open(hub, remote, tmp_path):
    proc = "/proc/self/maps"
    from pathlib import Path

    if not Path(proc).exists():
        pytest.skip("the system does not list what is mapped")
    found = source(hub, tmp_path)
    for ref in found.snapshots()[:3]:
        ref.load()
        assert re.findall(r"/space/passing/.*", Path(proc).read_text()) == []
    found.close()


def test_reading_holds_the_field_and_at_most_two_tensors(hub, tmp_path):
    import tracemalloc

    wide, remote = 96, hub.repository("someone/wide")
    add_pythia_model(remote, wide, (0, 1), tmp_path)
    largest = max(values.size for values in pythia_tensors(wide, 0).values())
    found = source(hub, tmp_path, "someone/wide")
    (ref,) = found.snapshots()
    size = 4 * ref.load().size
    tracemalloc.start()
    try:
        ref.load()  # the files are fetched again, in blocks
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert size < peak < size + 2 * 4 * largest + 400_000
    found.close()


@pytest.mark.parametrize("label", ["later", "earlier"])
def test_either_step_labels_a_difference(hub, remote, tmp_path, label):
    snapshots = source(hub, tmp_path, label=label).snapshots()
    assert [ref.step for ref in snapshots] == list(STEPS[1:] if label == "later" else STEPS[:-1])


def test_a_difference_is_not_bridged_over_a_branch_that_is_not_there(hub, remote, tmp_path):
    del remote.branches["step4"]
    found = source(hub, tmp_path, steps=STEPS)
    values = []
    for ref in found.snapshots():
        if ref.step in (4, 512):
            with pytest.raises(InputError, match="has no branch step4, and a difference over the gap"):
                ref.load()
        else:
            values.append(ref.load())
    assert len(values) == 4 and np.array_equal(values[2], update(512, 1000))
    found.close()


def test_a_branch_that_vanishes_costs_its_two_differences(hub, remote, tmp_path):
    found = source(hub, tmp_path)
    snapshots = found.snapshots()
    snapshots[0].load()
    del remote.branches["step4"]
    for ref in snapshots[1:]:
        if ref.step in (4, 512):
            with pytest.raises(InputError, match="does not have this revision"):
                ref.load()
        else:
            ref.load()
    found.close()


def test_wrong_bytes_cost_two_differences_and_are_not_waited_for_twice(hub, remote, tmp_path):
    found = source(hub, tmp_path)
    checksum = next(file for file in found.found[0].tree.repository.files("step4") if file.sha256).sha256
    hub.fail(f"/files/{checksum}", "wrong", 99)
    for ref in found.snapshots():
        if ref.step in (4, 512):
            with pytest.raises(InputError, match="downloaded 3 times, and its bytes never were those"):
                ref.load()
        else:
            ref.load()
    assert len(hub.asked(f"/files/{checksum}")) == 3
    found.close()


def test_a_branch_without_a_checkpoint_and_one_of_another_model_are_refused(hub, remote, tmp_path):
    remote.commit("step3000", "add model", {"config.json": b"{}"})
    remote.commit("step4000", "add model", checkpoint(pythia_tensors(6, 4000), tmp_path, "whole"))
    found = source(hub, tmp_path)
    refused = {}
    for ref in found.snapshots():
        try:
            ref.load()
        except InputError as error:
            refused[ref.step] = str(error)
    assert "holds no checkpoint (model.safetensors, pytorch_model.bin, or shards of one)" in refused[3000]
    assert set(refused) == {3000, 4000}
    found.close()


def test_an_index_of_shards_that_is_not_small_is_not_downloaded(hub, tmp_path):
    add_pythia_model(hub.repository(NAME), 4, (0, 1), tmp_path, "shards")
    index = "model.safetensors.index.json"
    hub.repository(NAME).commit("step1", "too much", {index: b" " * (2**24 + 1)})
    found = source(hub, tmp_path)
    (ref,) = found.snapshots()
    with pytest.raises(InputError, match="index of shards at most 16,777,216; nothing was downloaded"):
        ref.load()
    step1 = hub.repository(NAME).branches["step1"][-1].sha
    assert hub.asked(f"/resolve/{step1}") == []
    found.close()


def test_checkpoints_saved_in_another_format_have_the_same_order(hub, tmp_path):
    remote = hub.repository(NAME)
    for step, kind in ((0, "whole"), (1, "bin"), (2, "shards")):
        remote.commit(f"step{step}", "add model", checkpoint(pythia_tensors(4, step), tmp_path, kind))
    found = source(hub, tmp_path)
    for ref, pair in zip(found.snapshots(), ((0, 1), (1, 2)), strict=True):
        assert np.array_equal(ref.load(), update(*pair))
    found.close()


def test_a_repository_without_steps_is_refused(hub, tmp_path):
    hub.repository("someone/model").commit("main", "initial commit", {"README.md": b""})
    with pytest.raises(InputError, match=r"has 0 of the branches step\{N\} wanted"):
        source(hub, tmp_path, "someone/model")


def test_of_several_files_the_checkpoint_is_chosen():
    def chosen(*names):
        return [file.name for file in checkpoint_files(TreeFile(name, 1, None) for name in names)]

    assert chosen("pytorch_model.bin", "model.safetensors", "a.json") == ["model.safetensors"]
    assert chosen("pytorch_model.bin", "old/model.safetensors") == ["pytorch_model.bin"]
    shards = ["model-00002-of-00002.safetensors", "model-00001-of-00002.safetensors"]
    index = "model.safetensors.index.json"
    assert chosen("pytorch_model.bin", index, *shards, "model-x.safetensors") == [index, *sorted(shards)]
    assert chosen("optimizer.pt", "config.json") == []


@pytest.mark.parametrize("name", [f"{NAME}@late", f"{NAME}@main:folder"])
def test_a_branch_or_folder_is_not_passed_over(hub, remote, tmp_path, name):
    with pytest.raises(InputError, match=r"the scale 4k is named with a branch or a folder.*write owner/name alone"):
        source(hub, tmp_path, name)


@pytest.mark.parametrize("before", [True, False])
def test_of_several_branches_for_a_step_the_one_named_as_the_others_counts(hub, tmp_path, before):
    remote = hub.repository(NAME)
    stranger = checkpoint(pythia_tensors(4, 99), tmp_path, "whole")
    if before:
        remote.commit("checkpoint-1", "another", stranger)
    add_pythia_model(remote, 4, (0, 1), tmp_path)
    remote.commit("checkpoint-1", "another", stranger)
    (ref,) = source(hub, tmp_path).snapshots()
    assert np.array_equal(ref.load(), update(0, 1))
    remote.commit("checkpoint-7", "one", stranger)
    remote.commit("step_7", "another", stranger)
    with pytest.raises(InputError, match="two branches for step 7, checkpoint-7 and step_7"):
        source(hub, tmp_path)


def test_a_snapshot_knows_the_tensors_of_its_field_once_it_was_loaded(hub, remote, tmp_path):
    first, second = source(hub, tmp_path).snapshots()[:2]
    assert second.layout() is None
    values = first.load()
    shapes = {name: part.size for name, part in parameters_of(pythia_tensors(4, STEPS[1])).items()}
    assert second.layout() == tuple(shapes.items())
    assert sum(shapes.values()) == values.size
