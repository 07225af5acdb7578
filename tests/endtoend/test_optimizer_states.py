"""Float32 updates, momenta and directions from checkpoints of DeepSpeed's ZeRO 1 in branches of the hub."""

import io
import json
from collections import OrderedDict

import numpy as np
import pytest

import gradcascade as gc
from gradcascade import families
from gradcascade.families.files import VARIABLE
from gradcascade.fields.kinds import FIELD_KINDS, Optimizer

torch = pytest.importorskip("torch")

EXPECTED = families.expected_entries
WIDTHS = {"s": 8, "m": 12, "l": 20}
STEPS = (0, 10, 20)
BETAS = (0.9, 0.95)
TOY = """
name = "neox"
title = "Checkpoints of a trainer"
like = "neox-pythia"
repository = "lab/neox-{scale}@step{step}"
[scales]
s = { entries = 848 }
m = { entries = 1_848 }
l = { entries = 5_000 }
[verified]
state = "inferred"
evidence = "by this test"
"""


def values(scale, step):
    """Weights, means and squares of every parameter; groups of decayed ones and of biases."""
    width = WIDTHS[scale]
    shapes = OrderedDict(
        [
            ("0.word_embeddings.weight", (4, width)),
            ("2.attention.dense.weight", (8 * width, width)),
            ("4.mlp.dense_4h_to_h.weight", (width, 4 * width)),
            ("2.attention.dense.bias", (width,)),
            ("4.mlp.dense_4h_to_h.bias", (4 * width,)),
            ("5.norm.weight", (width,)),
        ]
    )
    made = np.random.default_rng([width, step])
    tails = {name: made.standard_t(3, size=shape).astype(np.float32) for name, shape in shapes.items()}
    mean = {name: made.standard_t(3, size=shape).astype(np.float32) * 1e-3 for name, shape in shapes.items()}
    square = {name: made.random(shape).astype(np.float32) * 1e-5 + 1e-7 for name, shape in shapes.items()}
    return {"weight": tails, "exp_avg": mean, "exp_avg_sq": square}


def groups(own):
    names = list(own)
    return names[:3], names[3:]


def files(scale, step, world=2):
    """The model states, a layer that is not needed, and every rank's part, as DeepSpeed's elastic checkpoints are."""
    own = values(scale, step)
    shapes = [OrderedDict((name, torch.Size(own["weight"][name].shape)) for name in g) for g in groups(own["weight"])]
    model = {
        "module": None,
        "param_shapes": shapes,
        "global_steps": step + 2,
        "skipped_steps": 2,
        "dp_world_size": world,
    }
    found = {"mp_rank_00_model_states.pt": model, "layer_00-model_00-model_states.pt": {"weight": torch.zeros(2)}}
    parts = [{"single": [], "state": [], "paddings": []} for _ in range(world)]
    for names in groups(own["weight"]):
        flat = {key: np.concatenate([own[key][name].reshape(-1) for name in names]) for key in own}
        size = flat["weight"].size
        share = -(-size // (2 * world)) * 2
        for rank, part in enumerate(parts):
            piece = {key: torch.from_numpy(flat[key][rank * share : (rank + 1) * share].copy()) for key in flat}
            part["single"].append(piece["weight"])
            part["state"].append({key: piece[key] for key in ("exp_avg", "exp_avg_sq")})
            part["paddings"].append(share - piece["weight"].numel())
    for rank, part in enumerate(parts):
        state = {
            "zero_stage": 1, "partition_count": world, "single_partition_of_fp32_groups": part["single"],
            "base_optimizer_state": part["state"], "group_paddings": part["paddings"], "overflow": False,
        }  # fmt: skip
        found[f"zero_pp_rank_{rank}_mp_rank_00_optim_states.pt"] = {"optimizer_state_dict": state}
    if scale == "m":  # the other way: PyTorch's own state, padded, with the settings and the step
        for rank in range(world):
            state = found[f"zero_pp_rank_{rank}_mp_rank_00_optim_states.pt"]["optimizer_state_dict"]
            numbered = {}
            for n, (group, more) in enumerate(zip(parts[rank]["state"], parts[rank]["paddings"], strict=True)):
                padded = {key: torch.nn.functional.pad(value, (0, more)) for key, value in group.items()}
                numbered[n] = {"step": torch.tensor(float(step)), **padded}
            settings = [{"betas": BETAS, "eps": 1e-8, "params": [n]} for n in numbered]
            state["base_optimizer_state"] = {"state": numbered, "param_groups": settings}
    return {name: saved(content) for name, content in found.items()}


def saved(content):
    stream = io.BytesIO()
    torch.save(content, stream)
    return stream.getvalue()


def field(scale, step, kind):
    own = values(scale, step)
    names = gc.canonical_order(own["weight"])
    if kind == "update":
        before = values(scale, step - 10)["weight"]
        return np.concatenate([(own["weight"][name] - before[name]).reshape(-1) for name in names])
    parts = {key: {name: own[key][name] for name in names} for key in ("exp_avg", "exp_avg_sq")}
    settings = Optimizer(*BETAS, 1e-8)  # of scale m by its files, of the others by the family's
    return FIELD_KINDS[kind].values({**parts, "step": dict.fromkeys(names, step)}, settings)


@pytest.fixture
def neox(hub, at_the_hub, tmp_path, monkeypatch):
    for scale in WIDTHS:
        repository = hub.repository(f"lab/neox-{scale}")
        repository.commit("main", "initial commit", {"README.md": b"# checkpoints\n"})
        for step in STEPS:
            folder = f"global_step{step}/" if scale == "l" else ""
            repository.commit(
                f"step{step}", "add", {folder + name: content for name, content in files(scale, step).items()}
            )
    monkeypatch.setattr(families, "expected_entries", EXPECTED)
    (tmp_path / "families").mkdir()
    (tmp_path / "families" / "neox.toml").write_text(TOY)
    monkeypatch.setenv(VARIABLE, str(tmp_path / "families"))
    return hub


def test_updates_momenta_and_directions_are_measured_and_every_file_is_fetched_once(neox, command):
    neox.fail(r"/files/", "cut")
    code, out, err = command("measure", "neox", "--out", "S", "--nulls", "", "--json")
    said = json.loads(out)
    # A direction of step 0 is refused: the optimizer has made no step.
    assert code == 2 and said["measured"] == 3 * (2 + 3 + 2), err
    assert len(said["refused"]) == 3
    assert all(
        "step 0, direction: " in words and "a direction needs an optimizer that" in words for words in said["refused"]
    )
    with gc.Study.open("S") as study:
        table = study.cascades()
    probe = gc.Probe()
    for scale in WIDTHS:
        for kind, step in (("update", 10), ("update", 20), ("momentum", 0), ("momentum", 20), ("direction", 20)):
            row = table.filter(scale=scale, step=step, field=kind).row(0, named=True)
            expected = probe(field(scale, step, kind))
            assert (row["n"], row["size"], row["tau"]) == (expected.n, expected.size, expected.tau), (
                scale,
                kind,
                step,
            )
    fetched = neox.asked(r"/resolve/.*optim_states\.pt$")
    assert len(fetched) == len(set(fetched)) == 3 * len(STEPS) * 2  # none again for another field
    assert not neox.asked(r"layer_00")
    code, out, err = command("measure", "neox", "--out", "D", "--dry-run", "--json")
    assert json.loads(out)["files_fetched"] == 3 * len(STEPS) * 3, err  # the model states too


def test_a_checkpoint_without_the_state_says_so(neox, command):
    broken = torch.load(io.BytesIO(files("s", 20)["zero_pp_rank_0_mp_rank_00_optim_states.pt"]))
    del broken["optimizer_state_dict"]["base_optimizer_state"]
    neox.repository("lab/neox-s").commit(
        "step20", "without", {"zero_pp_rank_0_mp_rank_00_optim_states.pt": saved(broken)}
    )
    _, out, _ = command("measure", "neox", "--fields", "momentum", "--out", "S", "--nulls", "", "--json")
    refused = json.loads(out)["refused"]
    (refused,) = refused
    assert "s, step 20, momentum" in refused and "holds no state of the optimizer (base_optimizer_state)" in refused
