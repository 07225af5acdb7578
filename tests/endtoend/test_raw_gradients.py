"""Raw gradients of several batches at the same weights, pickled by torch in a data set of the hub."""

import json
import pickle

import numpy as np
import polars as pl
import pytest

import gradcascade as gc
from gradcascade import families
from gradcascade.families.files import VARIABLE
from gradcascade.fields.kinds import FIELD_KINDS
from gradcascade.scaling.points import Points
from gradcascade.scaling.weighted import weighted_exponents
from gradcascade.sources.folder import discover

torch = pytest.importorskip("torch")

NAME = "datasets/lab/metrics"
EXPECTED = families.expected_entries
WIDTHS = {"s": 16, "m": 24, "l": 40}
BATCHES = {0: (0, 1, 2), 8: (6, 7, 8, 9, 10), 20: (18, 19)}  # clipped at both ends, as published
TOY = f"""
name = "raw"
title = "Raw gradients"
like = "pythia-gradients"
repository = "{NAME}:models/{{scale}}"
steps = [0, 8, 20]
[scales]
[verified]
state = "inferred"
evidence = "by this test"
"""


def gradients(scale, step, batch):
    """Gradients as the data set's code has them: float32, by layer, names without .weight."""
    width = WIDTHS[scale]
    made = np.random.default_rng([width, step, batch])
    sizes = {
        "attention.query_key_value": (3 * width, width), "attention.dense": (width, width),
        "mlp.dense_4h_to_h": (width, 4 * width),
    }  # fmt: skip
    return {
        f"gpt_neox.layers.{layer}.{name}": made.standard_t(3, size=shape).astype(np.float32)
        for layer in range(2)
        for name, shape in sizes.items()
    }


def field(scale, step, batch):
    return np.concatenate([values.reshape(-1) for values in gradients(scale, step, batch).values()])


def pickled(scale, step, batch):
    """The bytes that ``pickle.dump`` writes of a dictionary of tensors, with the default protocol."""
    return pickle.dumps({name: torch.from_numpy(values) for name, values in gradients(scale, step, batch).items()})


def files(scale):
    found = {}
    for step, batches in BATCHES.items():
        folder = f"checkpoint_{step}"
        found[f"{folder}/checkpoint_weights_{step}.pickle"] = b"not read"
        for batch in batches:
            found[f"{folder}/checkpoint_gradients_{batch}.pickle"] = pickled(scale, step, batch)
    return found


@pytest.fixture
def raw(hub, at_the_hub, tmp_path, monkeypatch):
    remote = hub.repository(NAME)
    for scale in WIDTHS:
        remote.commit("main", "add", {f"models/{scale}/{path}": content for path, content in files(scale).items()})
    monkeypatch.setattr(families, "expected_entries", EXPECTED)  # the fixture of the hub replaces it
    lines = [f"{scale} = {{ entries = {2 * 8 * width**2} }}" for scale, width in WIDTHS.items()]
    (tmp_path / "families").mkdir()
    (tmp_path / "families" / "raw.toml").write_text(TOY.replace("[scales]\n", "\n".join(["[scales]", *lines, ""])))
    monkeypatch.setenv(VARIABLE, str(tmp_path / "families"))
    return hub


def test_batches_at_the_same_weights_are_replicates_and_their_mean_a_field(raw, command):
    raw.fail(r"/files/", "cut")  # and goes on where it broke off
    code, out, err = command("measure", "raw", "--out", "S", "--nulls", "N0", "--replicates", 2, "--json")
    each = sum(map(len, BATCHES.values())) + len(BATCHES)
    assert (code, json.loads(out)["measured"]) == (0, 3 * each * 3), err
    with gc.Study.open("S") as study:
        table = study.cascades()
    probe = gc.Probe()
    own = table.filter(scale="m", step=8, field="gradient", variant="real").sort("replicate")
    found = {batch: probe(field("m", 8, batch)) for batch in BATCHES[8]}
    assert own["replicate"].to_list() == [0, 1000, 2000, 3000, 4000]  # batch 8, then 9, 7, 10, 6
    assert own["duration"].to_list() == [found[batch].duration for batch in (8, 9, 7, 10, 6)]
    assert own["content_hash"].n_unique() == 5 and set(own["run"]) == {"0"}
    mean = table.filter(scale="m", step=8, field="mean-gradient", variant="real").row(0, named=True)
    batches = {name: [gradients("m", 8, batch)[name] for batch in (8, 9, 7, 10, 6)] for name in gradients("m", 8, 8)}
    expected = probe(FIELD_KINDS["mean-gradient"].values({"gradients": batches}))
    assert (mean["size"], mean["duration"], mean["tau"]) == (expected.size, expected.duration, expected.tau)
    drawn = table.filter(scale="m", step=8, field="gradient", variant="N0")
    assert drawn["replicate"].to_list() == [1000 * draw + number for draw in range(5) for number in (0, 1)]
    assert drawn["activity"].n_unique() == 10  # each null is drawn of its own batch, with its own numbers
    points = Points.of(table.filter(field="gradient"))
    logs = points.run_logs.filter(scale="m", step=8, variant="real")
    assert logs["log_duration"].item() == pytest.approx(np.log([c.duration for c in found.values()]).mean())
    # The batches give the data's scatter: lines can be weighted by it, and of the one mean at a step they cannot.
    real = weighted_exponents(table.filter(variant="real"))
    assert real.filter(field="gradient")["value"].is_not_null().any()
    assert real.filter(field="mean-gradient")["value"].is_null().all()
    assert raw.asked(r"checkpoint_weights_\d+\.pickle$") == []
    before = len(raw.asked(r"/resolve/"))
    assert (
        json.loads(command("measure", "raw", "--out", "S", "--nulls", "N0", "--replicates", 2, "--json")[1])["known"]
        == 3 * each * 3
    )
    assert len(raw.asked(r"/resolve/")) == before  # what is known is not fetched again
    assert command("fit", "S", "--json")[0] == 0


def test_a_batch_that_cannot_be_read_leaves_the_others_of_its_step(raw, command):
    broken = {"models/m/checkpoint_8/checkpoint_gradients_7.pickle": b"\x80\x04}."}
    raw.repository(NAME).commit("main", "break one", broken)
    code, out, _ = command("measure", "raw", "--out", "S", "--nulls", "", "--json")
    refused = json.loads(out)["refused"]
    assert code == 3 or refused
    assert len(refused) == 2 and "step 8, gradient, draw 2 of the data" in refused[0], refused
    with gc.Study.open("S") as study:
        own = study.cascades().filter(scale="m", step=8, field="gradient")
        assert own["replicate"].to_list() == [0, 1000, 3000, 4000]
        noted = study.store.refusals().filter(pl.col("field") == "gradient")
    assert noted.height == 1 and noted["reason"].item().startswith("draw 2 of the data: ")


def test_one_of_the_fields_can_be_measured_alone(raw, command):
    code, out, err = command("measure", "raw", "--fields", "mean-gradient", "--out", "S", "--nulls", "", "--json")
    assert (code, json.loads(out)["measured"]) == (0, 3 * len(BATCHES)), err
    code, _, err = command("measure", "raw", "--fields", "update", "--out", "S")
    assert code == 2 and "raw has gradient and mean-gradient fields only; leave --fields out" in err


def test_the_same_in_a_folder(tmp_path, command, monkeypatch):
    for scale in ("s", "m", "l"):
        for path, content in files(scale).items():
            place = tmp_path / "raw" / scale / path
            place.parent.mkdir(parents=True, exist_ok=True)
            place.write_bytes(content)
    source = discover(tmp_path / "raw", fields=("gradient", "mean-gradient"))
    found = [at for at in source.snapshots() if at.scale == "m" and at.step == 8]
    assert [at.draw for at in found] == [0, 1, 2, 3, 4, None]
    np.testing.assert_array_equal(found[2].load(), field("m", 8, 7))
    assert found[-1].load().dtype == np.float32
    assert found[-1].source.count(" and ") == 4
    far = tmp_path / "raw" / "m" / "checkpoint_8" / "checkpoint_gradients_9000.pickle"
    far.write_bytes(b"")
    with pytest.raises(gc.InputError, match="is of a batch 8992 steps away"):
        discover(tmp_path / "raw")
