"""What is in a field is said, and is the same at every scale of a family."""

import json
from pathlib import Path

import numpy as np
import pytest
import torch
from safetensors.torch import save_file
from typer.testing import CliRunner

import gradcascade as gc
from gradcascade.cli.main import app
from gradcascade.errors import InputError
from gradcascade.report.access import study_data
from gradcascade.report.page import write_report
from gradcascade.sources import discover, read_field
from gradcascade.sources.contents import describe_fields, in_words, refuse_differing
from gradcascade.sources.one_field import open_field
from gradcascade.study.contents import contents_of_study, contents_table, lines
from gradcascade.study.estimate import estimate
from gradcascade.study.merging import merge_studies
from gradcascade.study.plan import FamilyPlan, NullPlan, Plan


def model(width: int, layers: int, *, head: str = "head", block: str = "h.{}") -> dict[str, torch.Tensor]:
    blocks = {
        f"{block.format(i)}.{w}.weight": torch.randn(width, width) for i in range(layers) for w in ("up", "down")
    }
    return {"wte.weight": torch.randn(9, width), **blocks, f"{head}.weight": torch.randn(9, width)}


def save(folder: Path, width: int, kind: str = "bin", layers: int = 12, **more: str) -> None:
    for step in (100, 200):
        path = folder / f"m-d{width}" / f"checkpoint-{step}"
        path.mkdir(parents=True)
        state = model(width, layers, **more)
        if kind == "bin":
            torch.save(state, path / "pytorch_model.bin")
        else:
            save_file(state, path / "model.safetensors")


def check(folder: Path, order: str) -> None:
    refuse_differing(describe_fields(discover(folder, order=order).snapshots()))


def test_scales_in_two_orders_are_refused_with_both_files_and_one_order_is_not(tmp_path):
    save(tmp_path, 4)
    save(tmp_path, 6, "safetensors")
    with pytest.raises(InputError) as caught:
        check(tmp_path, "file")
    said = str(caught.value)
    assert "m-d4/checkpoint-200/pytorch_model.bin" in said and "m-d6/checkpoint-200/model.safetensors" in said
    assert "where the first has 'wte.weight', the second has 'h.0.down.weight'" in said
    assert "--order canonical" in said
    check(tmp_path, "canonical")


def test_layers_sorted_by_text_and_by_number_are_two_orders(tmp_path):
    names = {4: ["h.0.w", "h.1.w"], 6: [f"h.{i}.w" for i in range(12)], 8: sorted(f"h.{i}.w" for i in range(12))}
    for width, own in names.items():
        for step in (1, 2):
            path = tmp_path / f"m-d{width}" / f"step_{step}" / "pytorch_model.bin"
            path.parent.mkdir(parents=True)
            torch.save({name: torch.randn(width, width) for name in own}, path)
    with pytest.raises(InputError, match=r"'h.2.w', the second has 'h.10.w'"):
        check(tmp_path, "file")
    check(tmp_path, "sorted")


@pytest.mark.parametrize("block", ["h.{}", "block_{}"])
def test_depth_may_differ(tmp_path, block):
    save(tmp_path, 4, layers=2, block=block)
    save(tmp_path, 6, layers=12, block=block)
    check(tmp_path, "canonical")


def test_other_tensors_at_a_scale_are_refused_and_can_be_left_out(tmp_path):
    save(tmp_path, 4)
    save(tmp_path, 6, head="lm_head")
    with pytest.raises(InputError, match=r"m-d4/.*has the tensor 'head.weight' and .*m-d6/.*'!head.weight'"):
        check(tmp_path, "canonical")
    plan = Plan(families=(FamilyPlan(name="m", path=str(tmp_path)),), nulls=NullPlan(kinds=()))
    with gc.Study.create(tmp_path / "study", plan) as study, pytest.raises(InputError, match=r"none of that kind"):
        gc.run(study)
    with pytest.raises(InputError, match=r"none of that kind"):
        estimate(plan, tmp_path / "other")


def test_a_missing_kind_of_weight_is_no_depth(tmp_path):
    for width, own in {4: ["w_1", "w_2", "w_3"], 6: ["w_1", "w_3"]}.items():
        for step in (1, 2):
            path = tmp_path / f"m-d{width}" / f"step_{step}" / "pytorch_model.bin"
            path.parent.mkdir(parents=True)
            torch.save({f"h.0.{name}.weight": torch.randn(width, width) for name in own}, path)
    with pytest.raises(InputError, match=r"has the tensor 'h.0.w_2.weight'.*'!h.\*.w_2.weight'"):
        check(tmp_path, "canonical")


def test_one_order_at_every_step_though_files_of_one_name_differ(tmp_path):
    state = model(4, 2)
    for step in (1, 2, 3):
        path = tmp_path / f"step_{step}" / "pytorch_model.bin"
        path.parent.mkdir()
        moved = {name: value * step for name, value in state.items()}
        torch.save(dict(reversed(moved.items())) if step == 3 else moved, path)
    wanted = torch.cat([value.reshape(-1) for value in state.values()]).numpy()
    for ref in discover(tmp_path).snapshots():
        np.testing.assert_allclose(ref.load(), wanted, rtol=1e-5)


def test_a_study_and_a_dry_run_say_what_is_in_the_fields(tmp_path):
    save(tmp_path / "runs", 4)
    torch.save({}, tmp_path / "runs" / "m-d4" / "last.ckpt")
    plan = Plan(families=(FamilyPlan(name="m", path="../runs"),), nulls=NullPlan(kinds=()))
    found = estimate(plan, tmp_path / "study")
    with gc.Study.create(tmp_path / "study", plan) as study:
        gc.run(study)
    rows = contents_of_study(tmp_path / "study")
    assert rows == list(found.contents)
    assert (rows[0]["tensors"], rows[0]["entries"], rows[0]["rule"]) == (26, 24 * 16 + 2 * 36, "floating")
    assert [path.rpartition("/")[2] for path in found.copies] == ["last.ckpt"]


def test_probe_takes_the_model_of_a_trainers_state_and_says_what_it_left_out(tmp_path):
    weights = {"wte.weight": torch.randn(9, 4), "h.0.attn.bias": torch.ones(4, 4), "w": torch.randn(4, 4)}
    weights["lm_head.weight"] = weights["wte.weight"]
    torch.save({"model": weights, "optimizer": {"m": torch.randn(99)}}, tmp_path / "ckpt.pt")
    wanted = torch.cat([weights["wte.weight"].reshape(-1), weights["w"].reshape(-1)]).numpy()
    opened = open_field(tmp_path / "ckpt.pt", order="file")
    np.testing.assert_array_equal(opened.values, wanted)
    np.testing.assert_array_equal(read_field(tmp_path / "ckpt.pt"), wanted)
    assert opened.layout == (("wte.weight", 36), ("w", 16))
    assert opened.description and in_words(opened.description) == (
        "2 tensors, 52 entries in file order: all floating-point tensors; no config names the architecture; "
        "left out: buffers (1), tied to another (1), trainer state (1)"
    )
    np.testing.assert_array_equal(open_field(tmp_path, order="file").values, wanted)


@pytest.mark.parametrize(
    ("state", "reason"),
    [
        ({"a": torch.randn(9), "b": torch.ones(9, dtype=torch.int8)}, "is quantised: int8 in 'b'"),
        ({"a": torch.randn(9), "b": torch.empty(0)}, "holds no entries of 'b'"),
        ({"model": {"a": torch.randn(9)}, "state_dict": {"a": torch.randn(9)}}, "each could be the model"),
        ({"a": torch.randn(9), "optimizer": {"m": torch.randn(9)}}, "beside a trainer's 'optimizer'"),
    ],
    ids=["quantised", "empty", "two-models", "beside"],
)
def test_probe_refuses_what_is_not_one_whole_model(tmp_path, state, reason):
    torch.save(state, tmp_path / "m.pt")
    for read in (open_field, read_field):
        with pytest.raises(InputError, match=reason):
            read(tmp_path / "m.pt")


def test_probe_has_one_order_for_every_format_and_for_names_of_a_live_model(tmp_path):
    torch.manual_seed(0)  # now and then two orders have the same activity by chance
    weights = model(8, 12)
    torch.save(weights, tmp_path / "g.pt")
    save_file(weights, tmp_path / "g.safetensors")
    names = gc.canonical_order(f"module.{name}" for name in weights)
    assert names[:3] == ["module.h.0.down.weight", "module.h.0.up.weight", "module.h.1.down.weight"]
    live = gc.Probe()(torch.cat([weights[name.removeprefix("module.")].reshape(-1) for name in names]).numpy())

    def probed(file, *more):
        return json.loads(CliRunner().invoke(app, ["probe", str(tmp_path / file), "--json", *more]).stdout)

    for file in ("g.pt", "g.safetensors"):
        found = probed(file)
        assert found["activity"] == live.activity.tolist()
        said = CliRunner().invoke(app, ["probe", str(tmp_path / file)]).stdout
        assert "26 tensors" in said and "canonical order" in said
    stored = gc.Probe()(read_field(tmp_path / "g.pt")).activity.tolist()
    assert probed("g.pt", "--order", "file")["activity"] == stored != live.activity.tolist()
    for order, words in (("model", "is not known of a file by itself"), ("reverse", "no tensor order 'reverse'")):
        with pytest.raises(InputError, match=words):
            open_field(tmp_path / "g.pt", order=order)


def write_family(folder: Path) -> Path:
    """Three scales with a buffer and a copy of the last step each."""
    for width in (4, 6, 8):
        for step in (100, 200):
            path = folder / f"m-d{width}" / f"checkpoint-{step}"
            path.mkdir(parents=True)
            torch.save(model(width, 2) | {"causal_mask": torch.ones(2, 2)}, path / "pytorch_model.bin")
        (folder / f"m-d{width}" / "checkpoint-best").mkdir()
    return folder


ROWS = [(f"d{width}", 6, 18 * width + 4 * width * width) for width in (4, 6, 8)]


@pytest.mark.usefixtures("no_figures")
def test_a_study_keeps_what_its_fields_are_made_of_and_a_report_shows_it(tmp_path):
    plan = Plan(families=(FamilyPlan(name="m", path=str(write_family(tmp_path / "runs"))),), nulls=NullPlan(kinds=()))
    with gc.Study.create(tmp_path / "study", plan) as study:
        gc.run(study)
        data = study_data(study)
    table = contents_table(tmp_path / "study")
    assert table.select("scale", "tensors", "entries").rows() == ROWS
    assert table.select("order", "left_out", "passed_over").rows() == [
        ("canonical", "buffers (1)", f"m-d{width}/checkpoint-best") for width in (4, 6, 8)
    ]
    text = write_report(data, tmp_path / "report").read_text(encoding="utf-8")
    part = text[text.index("What the fields are made of") :]
    assert "chosen by" in part and "all floating-point tensors" in part and "buffers (1)" in part
    assert (tmp_path / "report" / "contents.csv").read_text().splitlines()[1].startswith("m,update,d4,0,6,136,")
    assert merge_studies([tmp_path / "study"], tmp_path / "joined").cascades == 3
    assert contents_of_study(tmp_path / "joined") == contents_of_study(tmp_path / "study")


def test_a_study_that_kept_no_order_can_still_be_read(tmp_path):
    row = {"family": "m", "scale": "d4", "run": "0", "field": "update", "tensors": 6, "entries": 136}
    row |= {"rule": "floating", "left_out": {"tied": 2}}
    (tmp_path / "contents.json").write_text(json.dumps([row]))
    assert contents_of_study(tmp_path) == [row | {"order": "", "copies": [], "stored": []}]
    assert lines(contents_of_study(tmp_path)) == [
        "m / d4 / update: 6 tensors, 136 entries: all floating-point tensors; no config names the architecture; "
        "left out: tied to another (2)"
    ]


def test_an_audit_says_what_the_fields_are_made_of_and_what_was_passed_over(tmp_path):
    folder = write_family(tmp_path / "runs")
    said = " ".join(CliRunner().invoke(app, ["audit", str(folder)]).stdout.split())
    assert (
        "d4, d6, d8 / update: 6 tensors, 136 to 400 entries in canonical order: all floating-point tensors; no "
        "config names the architecture; left out: buffers (1)"
    ) in said
    assert "passed over, as each holds a step again: m-d4/checkpoint-best, m-d6/checkpoint-best" in said
    found = json.loads(CliRunner().invoke(app, ["audit", str(folder), "--json"]).stdout)["families"][0]
    assert [(row["scale"], row["tensors"], row["entries"]) for row in found["fields"]] == ROWS
    assert [row["copies"] for row in found["fields"]] == [[f"m-d{w}/checkpoint-best"] for w in (4, 6, 8)]


def test_a_description_is_said_in_words(tmp_path):
    save(tmp_path, 4)
    described = next(iter(describe_fields(discover(tmp_path).snapshots()).values()))
    assert in_words(described.description).startswith(
        "26 tensors, 456 entries in file order: all floating-point tensors; no config"
    )
