"""A layout is one file: a toy one is found on disk and on the hub, by discover, by a plan and by measure."""

import numpy as np
import pytest
from remote_runs import at_once
from sample_runs import save_safetensors
from toys import add_module

import gradcascade as gc
from gradcascade.errors import InputError
from gradcascade.sources import discover
from gradcascade.sources.base import RunName
from gradcascade.sources.hub_source import discover_hub
from gradcascade.sources.layouts import LAYOUTS
from gradcascade.sources.trees.hub.address import Address
from gradcascade.sources.trees.hub.client import HubClient
from gradcascade.sources.trees.hub.retry import RetryPolicy
from gradcascade.sources.trees.hub.space import Space
from gradcascade.study.plan import FamilyPlan, HubPlan, NullPlan, Plan

TOY = '''
    """A file per step, as weights/N.safetensors."""

    from gradcascade.sources.base import UPDATE
    from gradcascade.sources.layouts.base import Layout, Step
    from gradcascade.sources.trees.base import Part


    def steps(tree, run):
        folder = f"{run}/weights".lstrip("/")
        names = [file.name for file in tree.files(folder) if file.name.endswith(".safetensors")]
        numbers = sorted(int(name.partition(".")[0]) for name in names)
        return tuple(Step(n, tree, folder, checkpoint=Part(tree, folder, f"{n}.safetensors")) for n in numbers)


    LAYOUT = Layout("toy", 50, rule="parameters", fields=(UPDATE,), in_folder=steps)
'''
STEPS = (0, 10, 25, 40)


def tensors(width: int, step: int) -> dict[str, np.ndarray]:
    rng = np.random.default_rng([width, step])
    return {name: rng.normal(size=(width, 20)).astype(np.float32) for name in ("a.weight", "b.weight")}


def update(width: int, earlier: int, later: int) -> np.ndarray:
    old, new = tensors(width, earlier), tensors(width, later)
    return np.concatenate([(new[name] - old[name]).reshape(-1) for name in old])


@pytest.fixture
def toy(monkeypatch, tmp_path):
    add_module(monkeypatch, tmp_path / "modules", "gradcascade.sources.layouts", "toy", TOY)


@pytest.fixture
def runs(tmp_path):
    for width in (8, 12, 16):
        for step in STEPS:
            path = tmp_path / "runs" / f"mine-d{width}" / "weights" / f"{step}.safetensors"
            save_safetensors(tensors(width, step), path)
    return tmp_path / "runs"


def uploaded(hub, runs, layout="weights/{}.safetensors"):
    for width in (8, 12, 16):
        folder = runs / f"mine-d{width}" / "weights"
        files = {layout.format(step): (folder / f"{step}.safetensors").read_bytes() for step in STEPS}
        hub.repository(f"someone/d{width}").commit("main", "Upload folder", files)


def source(hub, tmp_path, layout):
    client = HubClient(hub.endpoint, retry=RetryPolicy(sleep=at_once), timeout=0.5)
    places = {RunName(f"d{width}"): Address.of(f"someone/d{width}") for width in (8, 12, 16)}
    return discover_hub(client, Space(tmp_path / "space"), "mine", layout, places)


def test_without_its_file_the_runs_are_not_found(runs):
    with pytest.raises(InputError, match="holds no runs"):
        discover(runs)


def test_a_toy_layout_is_found_on_disk(toy, runs):
    assert "toy" in LAYOUTS.names
    found = [ref for ref in discover(runs, fields=["update"]).snapshots() if ref.scale == "d12"]
    assert [(ref.step, ref.span) for ref in found] == [(10, 10), (25, 15), (40, 15)]
    np.testing.assert_array_equal(found[1].load(), update(12, 10, 25))


@pytest.mark.parametrize(
    ("layout", "files"),
    [("toy", "weights/{}.safetensors"), ("step-folders", "run/checkpoints/step_{}/model.safetensors")],
)
def test_steps_in_one_commit_are_read_on_the_hub_two_at_a_time(toy, hub, runs, tmp_path, layout, files):
    uploaded(hub, runs, files)
    found = source(hub, tmp_path, layout)
    held = []
    passing = tmp_path / "space" / "passing"
    hub.watchers.append(lambda: held.append(len([f for f in passing.rglob("*") if f.suffix == ".safetensors"])))
    for ref in found.snapshots():
        width, start = int(ref.scale[1:]), ref.step - (ref.span or 0)
        np.testing.assert_array_equal(ref.load(), update(width, start, ref.step))
        held.append(len([f for f in passing.rglob("*") if f.suffix == ".safetensors"]))
    assert max(held) <= 2
    assert len(hub.asked("/files/")) == 3 * len(STEPS)  # each checkpoint once
    found.close()
    assert not passing.exists()


def test_a_toy_layout_is_measured_by_a_plan_from_disk_and_hub_alike(toy, hub, runs, tmp_path, monkeypatch):
    uploaded(hub, runs)
    monkeypatch.setattr("huggingface_hub.constants.ENDPOINT", hub.endpoint)
    repositories = {f"d{width}": f"someone/d{width}" for width in (8, 12, 16)}
    places = {
        "disk": {"path": "../runs"},
        "hub": {"hub": HubPlan(layout="toy", repositories=repositories)},
    }
    tables = {}
    for place, where in places.items():
        family = FamilyPlan(name="mine", fields=("update",), **where)
        with gc.Study.create(tmp_path / place, Plan(families=(family,), nulls=NullPlan(kinds=()))) as study:
            outcome = gc.run(study)
            assert (outcome.measured, outcome.refused) == (3 * (len(STEPS) - 1), ())
            tables[place] = study.cascades()
    kept = ["scale", "step", "span", "n", "size", "duration", "content_hash"]
    assert tables["disk"].select(kept).equals(tables["hub"].select(kept))


def test_a_layout_that_is_not_there_is_refused_with_the_nearest(toy):
    with pytest.raises(ValueError, match=r"layout 'tyo' is unknown; did you mean 'toy'\?"):
        HubPlan(layout="tyo", repositories={"a": "b/c"})
