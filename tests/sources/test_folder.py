"""Folders of runs: what is found, which tensors make up a field, in which order."""

import json
import os
import pickle
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from sample_runs import pico_parameters, recorded, save_pt, save_safetensors, write_pico_run
from toys import add_module

from gradcascade.errors import InputError
from gradcascade.fields.kinds import FIELD_KINDS
from gradcascade.sources import discover, flatten
from gradcascade.sources.audit import audit_family

STEPS = (0, 20, 100)


@pytest.fixture(scope="module")
def family(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("demo")
    for scale, width in (("d6", 6), ("d12", 12)):
        write_pico_run(folder / "runs" / f"nano-{scale}", STEPS, width)
    return folder


@pytest.fixture
def own(family: Path, tmp_path: Path) -> Path:
    """A copy that a test may damage."""
    return Path(shutil.copytree(family, tmp_path / "demo"))


def gradient(step: int) -> np.ndarray:
    return flatten(recorded(pico_parameters(1000 + step)))


def weights(step: int) -> np.ndarray:
    return flatten(recorded(pico_parameters(step)))


def test_a_family_is_found_with_its_scales_steps_and_fields(family: Path) -> None:
    source = discover(family)
    assert source.family == "nano"
    found = [(ref.scale, ref.field, ref.step) for ref in source.snapshots()]
    assert found == [
        (scale, field, step)
        for scale in ("d6", "d12")
        for field, steps in (("gradient", STEPS), ("update", STEPS[1:]))
        for step in steps
    ]


@pytest.mark.parametrize("inner", [".", "runs", "runs/nano-d6"])
def test_any_folder_of_the_layout_will_do(family: Path, inner: str) -> None:
    source = discover(family / inner)
    assert (source.family, source.scales[0]) == ("nano", "d6")
    np.testing.assert_array_equal(source.snapshots()[0].load(), gradient(0))


def test_fields_are_the_36_tensors_in_file_order(family: Path) -> None:
    refs = {(ref.field, ref.step): ref for ref in discover(family / "runs" / "nano-d6").snapshots()}
    np.testing.assert_array_equal(refs["gradient", 20].load(), gradient(20))
    np.testing.assert_array_equal(refs["update", 20].load(), weights(20) - weights(0))
    np.testing.assert_array_equal(refs["update", 100].load(), weights(100) - weights(20))
    assert refs["update", 100].load().dtype == np.float32
    assert refs["update", 100].load().shape == (64 * 6**2,)


def test_sources_are_named_without_this_machines_paths(family: Path) -> None:
    refs = discover(family).snapshots()
    assert refs[0].source == "runs/nano-d6/checkpoints/step_0/learning_dynamics/train_gradients.pt"
    assert refs[3].source == (
        "runs/nano-d6/checkpoints/step_20/model.safetensors minus runs/nano-d6/checkpoints/step_0/model.safetensors"
    )


@pytest.mark.parametrize("order", ["sorted", "grouped"])
def test_other_orders_hold_for_both_fields(family: Path, order: str) -> None:
    def laid_out(seed: int) -> np.ndarray:
        tensors = recorded(pico_parameters(seed))
        if order == "sorted":
            return flatten({name: tensors[name] for name in sorted(tensors)})
        kinds = ("attention.v_proj", "attention.o_proj", "swiglu.w_2")
        return flatten({f"layers.{i}.{kind}": tensors[f"layers.{i}.{kind}"] for kind in kinds for i in range(12)})

    refs = discover(family / "runs" / "nano-d6", order=order).snapshots()
    np.testing.assert_array_equal(refs[0].load(), laid_out(1000))
    np.testing.assert_array_equal(refs[3].load(), laid_out(20) - laid_out(0))


def test_updates_follow_the_order_of_the_gradient_file(own: Path) -> None:
    run = own / "runs" / "nano-d6"
    for step in STEPS:
        path = run / f"checkpoints/step_{step}/learning_dynamics/train_gradients.pt"
        save_pt(dict(reversed(recorded(pico_parameters(1000 + step)).items())), path)
    reversed_weights = [flatten(dict(reversed(recorded(pico_parameters(step)).items()))) for step in (0, 20)]
    update = discover(run, fields=["update"]).snapshots()[0].load()
    np.testing.assert_array_equal(update, reversed_weights[1] - reversed_weights[0])


@pytest.mark.parametrize("order", ["file", "grouped"])
@pytest.mark.parametrize(
    "select", [["*_proj*"], ["*v_proj*"], ["*swiglu*", "*o_proj*"]], ids=lambda select: select[0]
)
def test_patterns_leave_both_fields_in_one_order(tmp_path: Path, order: str, select: list[str]) -> None:
    # Safetensors list block 10 before block 2, the recorded gradients do not; q_proj and the embedding are in
    # the checkpoints alone.
    write_pico_run(tmp_path / "run", STEPS, blocks=11)
    refs = discover(tmp_path / "run", order=order, select=select).snapshots()
    gradient, update = (ref.layout() for ref in (refs[0], refs[3]))
    assert gradient is not None and update is not None
    names = [name.removeprefix("_forward_module.") + ".weight" for name, _ in gradient]
    assert [name for name, _ in update if name in names] == names
    before, after = (pico_parameters(step, blocks=11) for step in (0, 20))
    laid = [flatten({name: parameters[name] for name, _ in update}) for parameters in (before, after)]
    np.testing.assert_array_equal(refs[3].load(), laid[1] - laid[0])
    if select != ["*_proj*"]:
        assert [name for name, _ in update] == names


def test_outside_picos_layout_both_fields_have_one_order_too(tmp_path: Path) -> None:
    parameters = [{f"h.{block}.w.weight": values for block, values in enumerate(_blocks(step))} for step in (0, 1)]
    for step, found in enumerate(parameters):
        save_safetensors(found, tmp_path / f"run/step_{step}/model.safetensors")
        save_pt(
            {f"module.{name}": values for name, values in found.items()}, tmp_path / f"run/step_{step}/gradients.pt"
        )
    first, _, update = discover(tmp_path / "run").snapshots()
    np.testing.assert_array_equal(first.load(), flatten(parameters[0]))
    np.testing.assert_array_equal(update.load(), flatten(parameters[1]) - flatten(parameters[0]))


def _blocks(seed: int) -> np.ndarray:
    return np.random.default_rng(seed).normal(size=(12, 2, 3)).astype(np.float32)


def test_updates_without_gradients_follow_the_model(own: Path) -> None:
    run = own / "runs" / "nano-d6"
    for step in STEPS:
        shutil.rmtree(run / f"checkpoints/step_{step}/learning_dynamics")
    refs = discover(run).snapshots()
    assert [ref.field for ref in refs] == ["update", "update"]
    np.testing.assert_array_equal(refs[0].load(), weights(20) - weights(0))


@pytest.mark.parametrize("prefix", ["", "module.", "_forward_module.module."])
def test_wrapper_prefixes_do_not_matter(tmp_path: Path, prefix: str) -> None:
    write_pico_run(tmp_path / "run", (5,), prefix=prefix)
    np.testing.assert_array_equal(discover(tmp_path / "run").snapshots()[0].load(), gradient(5))


def test_val_gradients(own: Path) -> None:
    run = own / "runs" / "nano-d6"
    save_pt(recorded(pico_parameters(7)), run / "checkpoints/step_20/learning_dynamics/val_gradients.pt")
    refs = discover(run, which="val", fields=["gradient"]).snapshots()
    assert [ref.step for ref in refs] == [20]
    np.testing.assert_array_equal(refs[0].load(), weights(7))


def test_updates_can_be_labelled_by_the_earlier_step(family: Path) -> None:
    refs = discover(family / "runs" / "nano-d6", fields=["update"], label="earlier").snapshots()
    assert [ref.step for ref in refs] == [0, 20]
    np.testing.assert_array_equal(refs[0].load(), weights(20) - weights(0))


def test_tensors_can_be_selected(family: Path) -> None:
    refs = discover(family / "runs" / "nano-d6", select=["*layers.3.*o_proj*", "*.w_2*"]).snapshots()
    assert refs[0].load().size == 36 + 12 * 144
    with pytest.raises(InputError, match=r"no tensor matches '\*\.w2\*'; the nearest"):
        discover(family / "runs" / "nano-d6", select=["*.w2*"]).snapshots()[0].load()


def test_half_precision_checkpoints_are_widened_before_they_are_subtracted(own: Path) -> None:
    run = own / "runs" / "nano-d6"
    halves = {}
    for step in (0, 20):
        halves[step] = {name: values.astype(np.float16) for name, values in pico_parameters(step).items()}
        save_safetensors(halves[step], run / f"checkpoints/step_{step}/model.safetensors")
    expected = flatten(recorded(halves[20])) - flatten(recorded(halves[0]))
    np.testing.assert_array_equal(discover(run, fields=["update"]).snapshots()[0].load(), expected)


def test_double_precision_is_kept(own: Path) -> None:
    run = own / "runs" / "nano-d6"
    doubles = {name: values.astype(np.float64) + 1e-12 for name, values in pico_parameters(0).items()}
    save_safetensors(doubles, run / "checkpoints/step_0/model.safetensors")
    update = discover(run, fields=["update"]).snapshots()[0].load()
    assert update.dtype == np.float64
    np.testing.assert_array_equal(update, weights(20).astype(np.float64) - flatten(recorded(doubles)))


def test_a_snapshot_can_be_sent_to_another_process(family: Path) -> None:
    refs = discover(family / "runs" / "nano-d6").snapshots()
    for ref in (refs[0], refs[-1]):
        np.testing.assert_array_equal(pickle.loads(pickle.dumps(ref)).load(), ref.load())  # noqa: S301 - our own


def test_the_revision_changes_with_the_file_and_the_order(own: Path) -> None:
    run = own / "runs" / "nano-d6"
    first = [ref.revision for ref in discover(run).snapshots()]
    assert [ref.revision for ref in discover(run).snapshots()] == first
    assert not set(first) & {ref.revision for ref in discover(run, order="grouped").snapshots()}
    path = run / "checkpoints/step_20/model.safetensors"
    os.utime(path, (1, 1))
    changed = [new != old for new, old in zip([r.revision for r in discover(run).snapshots()], first, strict=True)]
    assert changed == [False, False, False, True, True]


def test_a_replaced_checkpoint_is_read_again(own: Path) -> None:
    run = own / "runs" / "nano-d6"
    ref = discover(run, fields=["update"]).snapshots()[0]
    ref.load()
    save_safetensors(pico_parameters(77), run / "checkpoints/step_20/model.safetensors")
    np.testing.assert_array_equal(ref.load(), weights(77) - weights(0))


def test_metrics_of_every_run_and_step(own: Path) -> None:
    results = own / "runs" / "nano-d6" / "eval_results"
    (results / "step_0.json").write_text('{"paloma": NaN, "other": 1e23, "worse": Infinity}')
    (results / "notes.txt").write_text("not a result")
    table = discover(own).metrics()
    assert table.columns == ["family", "scale", "run", "step", "metric", "value"]
    assert table.rows()[:5] == [
        ("nano", "d6", "0", 0, "paloma", None),
        ("nano", "d6", "0", 0, "other", 1e23),
        ("nano", "d6", "0", 0, "worse", None),
        ("nano", "d6", "0", 20, "paloma", 100 / 21),
        ("nano", "d6", "0", 100, "paloma", 100 / 101),
    ]
    assert table.height == 8


def test_runs_without_results_have_an_empty_table(tmp_path: Path) -> None:
    write_pico_run(tmp_path / "run", (0,))
    shutil.rmtree(tmp_path / "run" / "eval_results")
    table = discover(tmp_path).metrics()
    assert table.height == 0
    assert dict(table.schema)["value"].is_float()


@pytest.mark.parametrize(
    ("content", "code", "left"),
    [
        ("{", "not-json", []),
        ("[1]", "no-object", []),
        ('{"paloma": "low", "c4": 3}', "no-number", [("c4", 3.0)]),
        ('{"paloma": true}', "no-number", []),
        (b"\xff\xfe\x00", "not-json", []),
    ],
    ids=["cut-off", "list", "text", "true", "bytes"],
)
def test_broken_results_are_named_and_the_others_are_taken(own: Path, content, code: str, left: list) -> None:
    path = own / "runs" / "nano-d6" / "eval_results" / "step_20.json"
    path.write_bytes(content if isinstance(content, bytes) else content.encode())
    source = discover(own)
    rows = [row[1:] for row in source.metrics().rows()]
    (problem,) = source.complaints()
    assert (problem.code, problem.file) == (code, str(path)) and str(path) in problem.sentence
    assert [(metric, value) for scale, _, step, metric, value in rows if (scale, step) == ("d6", 20)] == left
    assert len(rows) == 5 + len(left)
    source.metrics()
    assert len(source.complaints()) == 1


def test_a_null_among_the_results_is_a_missing_value(own: Path) -> None:
    path = own / "runs" / "nano-d6" / "eval_results" / "step_20.json"
    path.write_text('{"paloma": null}')
    source = discover(own)
    assert ("nano", "d6", "0", 20, "paloma", None) in source.metrics().rows() and source.complaints() == []


def test_results_that_are_no_files_are_named(own: Path, tmp_path: Path) -> None:
    results = own / "runs" / "nano-d6" / "eval_results"
    outside = tmp_path.parent / f"{tmp_path.name}-outside.json"
    outside.write_text("{}")
    (results / "step_20.json").unlink()
    (results / "step_20.json").symlink_to(outside)
    (results / "step_100.json").unlink()
    (results / "step_100.json").mkdir()
    (results / "step_00.json").write_text("{}")
    source = discover(own)
    source.metrics()
    assert [problem.code for problem in source.complaints()] == ["unreadable"] * 3


def test_a_missing_tensor_is_named(own: Path) -> None:
    folder = own / "runs" / "nano-d6" / "checkpoints" / "step_20"
    fewer = recorded(pico_parameters(1020))
    del fewer["layers.3.attention.o_proj"]
    save_pt(fewer, folder / "learning_dynamics" / "train_gradients.pt")
    with pytest.raises(InputError, match=r"step_20.*lacks the tensor layers\.3\.attention\.o_proj"):
        discover(own, fields=["gradient"]).snapshots()[1].load()


@pytest.mark.parametrize("field", ["gradient", "update"])
def test_a_step_of_another_model_is_named(own: Path, field: str) -> None:
    run = own / "runs" / "nano-d6" / "checkpoints"
    shutil.rmtree(run / "step_20")
    shutil.copytree(own / "runs" / "nano-d12" / "checkpoints" / "step_20", run / "step_20")
    refs = {ref.step: ref for ref in discover(own, fields=[field]).snapshots() if ref.scale == "d6"}
    with pytest.raises(InputError, match=r"_proj has shape \(\d+, 12\) and in .* \(\d, 6\)"):
        refs[20].load()


def test_fewer_blocks_than_the_first_step_are_named(own: Path) -> None:
    folder = own / "runs" / "nano-d6" / "checkpoints" / "step_20"
    save_pt(recorded(pico_parameters(0, blocks=11)), folder / "learning_dynamics" / "train_gradients.pt")
    with pytest.raises(InputError, match=r"lacks the tensor layers\.11\.attention\.v_proj, which .*step_0"):
        discover(own, fields=["gradient"]).snapshots()[1].load()


@pytest.mark.parametrize(
    "options", [{"which": "test"}, {"order": "random"}, {"label": "middle"}, {"fields": ["weights"]}], ids=str
)
def test_unknown_options_name_the_known_ones(family: Path, options: dict[str, Any]) -> None:
    with pytest.raises(InputError, match="choose from"):
        discover(family, **options)


def test_folders_without_runs(tmp_path: Path, own: Path) -> None:
    with pytest.raises(InputError, match="does not exist"):
        discover(tmp_path / "nowhere")
    (tmp_path / "empty" / "runs").mkdir(parents=True)
    with pytest.raises(InputError, match="holds no runs"):
        discover(tmp_path / "empty")
    with pytest.raises(InputError, match="is not a folder"):
        discover(own / "runs" / "nano-d6" / "training_config.yaml")
    with pytest.raises(InputError, match="holds no gradient field"):
        discover(own, fields=["gradient"], which="val").snapshots()


def test_two_folders_for_one_step(own: Path) -> None:
    shutil.copytree(own / "runs/nano-d6/checkpoints/step_20", own / "runs/nano-d6/checkpoints/step_020")
    with pytest.raises(InputError, match="two folders for step 20"):
        discover(own)


def move_behind_a_link(path: Path, away: Path) -> None:
    shutil.move(path, away)
    path.symlink_to(away)


@pytest.mark.parametrize(
    ("place", "costs"),
    [
        ("step_20/model.safetensors", {(20, "update"), (100, "update")}),
        ("step_0/model.safetensors", {(20, "update")}),
        ("step_20/learning_dynamics", {(20, "gradient")}),
        ("step_20", {(20, "gradient"), (20, "update"), (100, "update")}),
    ],
)
def test_a_link_out_of_the_folder_costs_what_is_read_through_it(
    own: Path, tmp_path: Path, place: str, costs: set[tuple[int, str]]
) -> None:
    whole = {ref.place: (ref.load(), ref.span) for ref in discover(own).snapshots()}
    move_behind_a_link(own / "runs" / "nano-d6" / "checkpoints" / place, tmp_path / "elsewhere")
    found = discover(own).snapshots()
    assert [ref.place for ref in found] == list(whole)
    refused = set()
    for ref in found:
        values, span = whole[ref.place]
        assert ref.span == span
        try:
            np.testing.assert_array_equal(ref.load(), values)
        except InputError as error:
            assert "is a symbolic link that leads out of" in str(error) and "allow it with --allow-links" in str(
                error
            )
            refused.add((ref.scale, ref.step, ref.field))
    assert refused == {("d6", *cost) for cost in costs}


def test_a_run_behind_links_is_refused_step_by_step(own: Path, tmp_path: Path) -> None:
    move_behind_a_link(own / "runs" / "nano-d6" / "checkpoints", tmp_path / "elsewhere")
    for ref in discover(own).snapshots():
        if ref.scale == "d6":
            with pytest.raises(InputError, match="allow it with --allow-links"):
                ref.load()
        else:
            assert ref.load().size


def test_a_file_of_a_step_behind_a_link(tmp_path: Path) -> None:
    runs = tmp_path / "runs"
    for step in (1, 2, 3, 4):
        save_pt({"w": np.full((3, 4), step, np.float32)}, runs / f"ckpt_{step}.pt")
    move_behind_a_link(runs / "ckpt_1.pt", tmp_path / "away.pt")
    first, *others = discover(runs).snapshots()
    assert [ref.load().tolist() for ref in others] == [[1.0] * 12] * 2
    with pytest.raises(InputError, match=r"ckpt_1\.pt is a symbolic link that leads out of"):
        first.load()


def test_links_out_of_the_folder_are_followed_if_that_is_asked_for(own: Path, tmp_path: Path) -> None:
    whole = {ref.place: ref.load() for ref in discover(own).snapshots()}
    step = own / "runs" / "nano-d6" / "checkpoints" / "step_20"
    shutil.move(step, tmp_path / "scratch")
    step.symlink_to(tmp_path / "scratch")
    linked = {ref.place: ref.load() for ref in discover(own, links=True).snapshots()}
    assert list(linked) == list(whole) and all(np.array_equal(linked[place], whole[place]) for place in whole)
    assert audit_family(own, links=True).listing.runs[0].steps


@pytest.mark.parametrize("place", ["step_20", "step_20/model.safetensors"])
@pytest.mark.parametrize("links", [False, True])
def test_links_in_a_circle_are_refused_in_a_sentence(own: Path, tmp_path: Path, place: str, links: bool) -> None:
    path = own / "runs" / "nano-d6" / "checkpoints" / place
    shutil.move(path, tmp_path / "away")
    path.symlink_to(path.name)
    with pytest.raises(InputError, match=f"{place} is a symbolic link that leads in a circle"):
        discover(own, links=links)


def test_a_relative_link_within_the_folder_is_fine(own: Path) -> None:
    checkpoints = own / "runs" / "nano-d6" / "checkpoints"
    shutil.rmtree(checkpoints / "step_100")
    (checkpoints / "step_100").symlink_to("step_20")
    assert json.loads((own / "runs/nano-d6/eval_results/step_100.json").read_text())
    assert not discover(own, fields=["update"]).snapshots()[1].load().any()


def test_a_broken_first_gradient_costs_its_own_snapshot_only(own: Path) -> None:
    path = own / "runs" / "nano-d6" / "checkpoints" / "step_0" / "learning_dynamics" / "train_gradients.pt"
    whole = {(ref.scale, ref.step, ref.field): ref.load() for ref in discover(own).snapshots()}
    path.write_bytes(path.read_bytes()[:-300])
    for ref in discover(own).snapshots():
        if path in ref.files:
            with pytest.raises(InputError, match="cut off or broken"):
                ref.load()
        else:
            assert np.array_equal(ref.load(), whole[ref.scale, ref.step, ref.field])


@pytest.mark.parametrize("order", ["file", "sorted", "grouped"])
def test_a_snapshot_knows_the_tensors_of_its_field(family: Path, order: str) -> None:
    for ref in discover(family / "runs" / "nano-d12", order=order).snapshots():
        seed = 1000 + ref.step if ref.field == "gradient" else ref.step
        after = recorded(pico_parameters(seed, width=12))
        before = recorded(pico_parameters(STEPS[STEPS.index(ref.step) - 1], width=12))
        values, start = ref.load(), 0
        layout = ref.layout()
        assert layout is not None and len(layout) == 36
        for name, size in layout:
            expected = after[name] if ref.field == "gradient" else after[name] - before[name]
            np.testing.assert_array_equal(values[start : start + size], expected.reshape(-1))
            start += size
        assert start == values.size


KIND = '''
    """A toy kind: what each parameter became, as a share of what it was."""

    from gradcascade.fields.kinds.base import FieldKind


    FIELD_KIND = FieldKind(
        "growth", 9, "growths", "a toy", (("before", "after"),), lambda p, _: p["after"] / p["before"], span=True
    )
'''


def test_a_kind_of_field_is_one_file(family: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(
        InputError, match="there is no field 'growth'; choose from gradient, update, momentum, direction"
    ):
        discover(family, fields=["growth"])
    with pytest.raises(InputError, match="comes without an optimizer's state, in it or beside it"):
        discover(family, fields=["momentum"]).snapshots()[0].load()
    add_module(monkeypatch, tmp_path / "modules", "gradcascade.fields.kinds", "growth", KIND)
    refs = discover(family / "runs" / "nano-d6", fields=["growth"]).snapshots()
    assert [(ref.field, ref.step, ref.span) for ref in refs] == [("growth", 20, 20), ("growth", 100, 80)]
    np.testing.assert_array_equal(refs[0].load(), weights(20) / weights(0))


def test_an_update_is_what_its_kind_declares(family: Path) -> None:
    ref = discover(family / "runs" / "nano-d6", fields=["update"]).snapshots()[0]
    before, after = recorded(pico_parameters(0)), recorded(pico_parameters(20))
    np.testing.assert_array_equal(ref.load(), FIELD_KINDS["update"].values({"before": before, "after": after}))
