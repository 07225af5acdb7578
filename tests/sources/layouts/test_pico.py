import json
import pickle

import numpy as np
import pytest
from remote_runs import CONFIGURATION, add_pico_run, at_once, perplexity, pico_gradient, saved

from gradcascade.errors import InputError, MissingError
from gradcascade.sources.base import RunName
from gradcascade.sources.hub_source import discover_hub
from gradcascade.sources.trees.hub.address import Address
from gradcascade.sources.trees.hub.client import HubClient
from gradcascade.sources.trees.hub.retry import RetryPolicy
from gradcascade.sources.trees.hub.space import Space

NAME, BRANCH = "pico-lm/some-decoder", "some-decoder-1"
STEPS = (0, 1000, 2000)


@pytest.fixture
def remote(hub, tmp_path):
    repository = hub.repository(NAME)
    add_pico_run(repository, BRANCH, 6, STEPS, tmp_path)
    return repository


def source(hub, tmp_path, address=f"{NAME}@{BRANCH}", **options):
    client = HubClient(hub.endpoint, retry=RetryPolicy(sleep=at_once), timeout=0.5)
    places = {RunName("tiny"): Address.of(address)}
    return discover_hub(client, Space(tmp_path / "space"), "pico", "pico-lm", places, **options)


def field(step, seed=1000):
    return np.concatenate([values.reshape(-1) for values in pico_gradient(step, 6, seed).values()])


def commit_of(remote, title):
    return [change.sha for change in remote.branches[BRANCH] if change.title == title][-1]


@pytest.mark.parametrize(("which", "seed"), [("train", 1000), ("val", 1500)])
def test_each_step_is_the_file_at_its_commit(hub, remote, tmp_path, which, seed):
    found = source(hub, tmp_path, which=which)
    snapshots = found.snapshots()
    assert [(ref.family, ref.scale, ref.step, ref.field) for ref in snapshots] == [
        ("pico", "tiny", step, "gradient") for step in STEPS
    ]
    for ref in snapshots:
        assert ref.revision == commit_of(remote, f"Saving Learning Dynamics Data ({which}) -- Step {ref.step}")
        assert ref.source == f"{NAME}: learning_dynamics/{which}_gradients.pt"
        assert np.array_equal(ref.load(), field(ref.step, seed))
    fetched = {path.rpartition("/")[2].partition("?")[0] for path in hub.asked("/resolve/")}
    assert fetched == {f"{which}_gradients.pt"}  # no weights, no optimizer states
    found.close()


def test_what_was_measured_is_forgotten(hub, remote, tmp_path):
    found = source(hub, tmp_path)
    for ref in found.snapshots():
        ref.load()
        assert list((tmp_path / "space").rglob("*gradients*")) == []
    found.close()
    assert not (tmp_path / "space" / "passing").exists()


def test_of_a_title_that_a_restart_repeats_the_last_commit_counts(hub, remote, tmp_path):
    add_pico_run(remote, BRANCH, 6, (1000, 2000, 3000), tmp_path, seed=7000)
    snapshots = source(hub, tmp_path).snapshots()
    assert [ref.step for ref in snapshots] == [0, 1000, 2000, 3000]
    assert np.array_equal(snapshots[0].load(), field(0))
    for ref in snapshots[1:]:
        assert np.array_equal(ref.load(), field(ref.step, 7000))
        assert ref.revision == commit_of(remote, f"Saving Learning Dynamics Data (train) -- Step {ref.step}")


@pytest.mark.parametrize("run", ["", "runs/some-decoder-1/", "some-decoder-1/"])
def test_a_run_uploaded_as_its_folder_is_read_too(hub, tmp_path, run):
    files = {f"{run}training_config.yaml": CONFIGURATION}
    for step in STEPS:
        content = saved(pico_gradient(step, 6), "train_gradients.pt", tmp_path)
        files[f"{run}checkpoints/step_{step}/learning_dynamics/train_gradients.pt"] = content
        files[f"{run}checkpoints/step_{step}/model.safetensors"] = b"weights"
        files[f"{run}eval_results/step_{step}.json"] = json.dumps({"paloma": 5.0}).encode()
    head = hub.repository("someone/upload").commit("main", "Upload folder", files)
    found = source(hub, tmp_path, "someone/upload")
    for ref, step in zip(found.snapshots(), STEPS, strict=True):
        assert (ref.step, ref.revision) == (step, head)
        assert ref.source == f"someone/upload: {run}checkpoints/step_{step}/learning_dynamics/train_gradients.pt"
        assert np.array_equal(ref.load(), field(step))
    assert found.metrics()["step"].to_list() == list(STEPS)
    found.close()


def test_of_several_runs_one_must_be_named(hub, tmp_path):
    files = {
        f"runs/{run}/checkpoints/step_0/learning_dynamics/train_gradients.pt": saved(
            pico_gradient(0, 6, seed), "train_gradients.pt", tmp_path
        )
        for run, seed in (("a", 1), ("b", 2))
    }
    hub.repository("someone/upload").commit("main", "Upload folder", files)
    with pytest.raises(
        InputError, match=r"several runs \(runs/a, runs/b\); name one, as in someone/upload@main:runs/a"
    ):
        source(hub, tmp_path, "someone/upload")
    (ref,) = source(hub, tmp_path, "someone/upload@main:runs/b").snapshots()
    assert np.array_equal(ref.load(), field(0, 2))


def test_metrics_are_fetched_once(hub, remote, tmp_path):
    found = source(hub, tmp_path)
    table = found.metrics()
    assert table["metric"].unique().to_list() == ["paloma"]
    assert table["value"].to_list() == [perplexity(step, 6) for step in STEPS]
    small = found.space.small(found.found[0].tree.repository)
    assert (small / "training_config.yaml").read_bytes() == CONFIGURATION
    before = len(hub.asked("/resolve/"))
    assert source(hub, tmp_path).metrics().equals(table)
    assert len(hub.asked("/resolve/")) == before == len(STEPS) + 1
    found.close()


def test_an_evaluation_that_cannot_be_had_is_named_and_the_others_are_there(hub, remote, tmp_path):
    hub.fail(r"step_1000\.json", "503", 99)
    found = source(hub, tmp_path)
    assert found.metrics()["step"].to_list() == [0, 2000]
    (problem,) = found.complaints()
    said = problem.sentence
    assert problem.code == "not-fetched"
    assert "tiny: eval_results/step_1000.json" in said and "503" in said
    found.close()


@pytest.mark.parametrize("path", ["training_config.yaml", "eval_results/step_1000.json"])
def test_small_files_that_are_not_small_are_named_and_not_downloaded(hub, remote, tmp_path, path):
    remote.commit(BRANCH, "too much", {path: b" " * (2**24 + 1)})
    found = source(hub, tmp_path)
    assert found.metrics().height == len(STEPS) - path.startswith("eval")
    (problem,) = found.complaints()
    said = problem.sentence
    assert problem.code == "not-fetched"
    assert f"tiny: {path} of {NAME} has 16,777,217 bytes" in said and "not downloaded" in said
    assert hub.asked(f"/resolve/.*{path}") == []
    found.close()


def test_steps_can_be_chosen_and_one_that_is_not_there_is_refused(hub, remote, tmp_path):
    found = source(hub, tmp_path, steps=(1000, 1500))
    first, second = found.snapshots()
    assert np.array_equal(first.load(), field(1000))
    with pytest.raises(MissingError, match="has no train gradient of step 1500"):
        second.load()
    assert found.metrics()["step"].to_list() == [1000]
    found.close()


def test_a_branch_without_gradients_is_refused(hub, remote, tmp_path):
    hub.repository(NAME).commit("main", "initial commit", {"README.md": b"# pico\n"})
    with pytest.raises(InputError, match=f"{NAME}@main has no train gradients: no commit titled"):
        source(hub, tmp_path, NAME)
    with pytest.raises(InputError, match="does not have this revision"):
        source(hub, tmp_path, f"{NAME}@other")


def test_another_model_under_the_same_name_is_refused(hub, remote, tmp_path):
    add_pico_run(remote, BRANCH, 12, (3000,), tmp_path)
    snapshots = source(hub, tmp_path).snapshots()
    snapshots[0].load()
    with pytest.raises(InputError, match=r"of shape \(4, 12\), and what was read before of .* of shape \(2, 6\)"):
        snapshots[3].load()
    with pytest.raises(InputError, match="it is another model"):  # another process remembers
        source(hub, tmp_path).snapshots()[3].load()


def test_the_order_of_the_first_file_is_that_of_all(hub, remote, tmp_path):
    turned = dict(reversed(pico_gradient(3000, 6).items()))
    remote.commit(
        BRANCH,
        "Saving Learning Dynamics Data (train) -- Step 3000",
        {"learning_dynamics/train_gradients.pt": saved(turned, "train_gradients.pt", tmp_path)},
    )
    snapshots = source(hub, tmp_path).snapshots()
    snapshots[0].load()
    assert np.array_equal(snapshots[3].load(), field(3000))


def test_a_published_repository_must_have_the_published_number_of_entries(hub, tmp_path):
    add_pico_run(hub.repository("pico-lm/pico-decoder-tiny"), BRANCH, 6, (0,), tmp_path)
    (ref,) = source(hub, tmp_path, f"pico-lm/pico-decoder-tiny@{BRANCH}").snapshots()
    with pytest.raises(InputError, match="384 entries, and that of pico-lm/pico-decoder-tiny has 589,824"):
        ref.load()


def test_a_snapshot_can_be_read_in_another_process(hub, remote, tmp_path):
    ref = source(hub, tmp_path).snapshots()[1]
    again = pickle.loads(pickle.dumps(ref))  # noqa: S301 - our own bytes
    assert np.array_equal(again.load(), field(1000))


def test_two_processes_do_not_share_a_folder(hub, remote, tmp_path):
    from filelock import FileLock

    (tmp_path / "space").mkdir()
    ref = source(hub, tmp_path).snapshots()[0]
    with FileLock(tmp_path / "space" / ".lock"), pytest.raises(InputError, match="another process is downloading"):
        ref.load()


def test_the_layouts_of_hub_and_disk_give_the_same_field(hub, remote, tmp_path):
    from sample_runs import write_pico_run

    from gradcascade.sources import discover

    write_pico_run(tmp_path / "some-decoder-1", STEPS, 6, blocks=2)
    local = discover(tmp_path / "some-decoder-1", fields=("gradient",)).snapshots()
    for here, there in zip(local, source(hub, tmp_path).snapshots(), strict=True):
        assert np.array_equal(here.load(), there.load())


def test_runs_that_share_a_repository_keep_what_is_theirs(hub, tmp_path):
    repository = hub.repository("someone/runs")
    add_pico_run(repository, "first", 6, STEPS, tmp_path)
    add_pico_run(repository, "second", 12, STEPS[:1], tmp_path)
    places = {
        RunName("a"): Address.of("someone/runs@first"),
        RunName("b"): Address.of("someone/runs@second"),
    }
    client = HubClient(hub.endpoint, retry=RetryPolicy(sleep=at_once), timeout=0.5)
    found = discover_hub(client, Space(tmp_path / "space"), "pico", "pico-lm", places)
    assert found.metrics().select("scale", "step", "value").rows() == [
        *(("a", step, perplexity(step, 6)) for step in STEPS),
        ("b", STEPS[0], perplexity(STEPS[0], 12)),
    ]
    assert len(set(found.folders().values())) == 2
    assert [ref.load().size for ref in found.snapshots()] == [384] * len(STEPS) + [4 * 384]
    found.close()


def test_evaluations_that_the_branch_has_no_more_are_not_those_of_the_run(hub, remote, tmp_path):
    source(hub, tmp_path).metrics()
    del remote.branches[BRANCH]
    add_pico_run(remote, BRANCH, 6, STEPS[:1], tmp_path)
    found = source(hub, tmp_path)
    assert found.metrics()["step"].to_list() == [STEPS[0]]
    found.close()


def test_a_snapshot_knows_the_tensors_of_its_field_once_it_was_loaded(hub, remote, tmp_path):
    first, second, _ = source(hub, tmp_path, order="grouped").snapshots()
    assert first.layout() is None
    values, start = second.load(), 0
    tensors = pico_gradient(second.step, 6, 1000)
    for name, size in second.layout() or ():
        assert np.array_equal(values[start : start + size], tensors[f"_forward_module.module.{name}"].reshape(-1))
        start += size
    assert start == values.size
    assert first.layout() == second.layout()
