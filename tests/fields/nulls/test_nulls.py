"""A null is one file."""

import json
import subprocess
import sys

import numpy as np
import polars as pl
import pytest
from safetensors.numpy import save_file
from toys import add_module
from typer.testing import CliRunner

import gradcascade as gc
from gradcascade.cli.main import app
from gradcascade.fields.nulls import NULLS, Null, NullSettings, undrawn
from gradcascade.inference import infer
from gradcascade.report.answers import all_answers
from gradcascade.report.data import ReportData
from gradcascade.study.plan import FamilyPlan, NullPlan, make_plan

TOY = """
from gradcascade.fields.nulls.base import Null

def draw(values, how):
    return values[::-1].copy()

NULL = Null("mirrored", 2.5, "all values", "the values in reverse order", draw, drawn=False)
"""


@pytest.fixture
def toy(tmp_path, monkeypatch):
    add_module(monkeypatch, tmp_path / "nulls", "gradcascade.fields.nulls", "mirrored", TOY)


def test_the_nulls_there_are_their_order_and_their_streams():
    assert [(null.name, null.stream) for null in NULLS.values()] == [
        ("N0", 0),
        ("N1", 1),
        ("N2", 2),
        ("signs", 3),
        ("in-tensor", 4),
        ("in-block", 5),
        ("clipped", 6),
    ]
    assert undrawn() == ("clipped",)
    assert [null.name for null in NULLS.values() if null.needs_layout] == ["in-tensor", "in-block"]


def test_settings_that_are_not_the_default_enter_the_hash():
    changed = NullSettings(deviation="sample", clip=2.0, quantile=0.5)
    assert {name: null.setting(NullSettings()) for name, null in NULLS.items()} == dict.fromkeys(NULLS)
    found = {name: null.setting(changed) for name, null in NULLS.items()}
    assert found == dict.fromkeys(NULLS) | {"N1": "sample", "clipped": "clip 2.0"}


def test_streams_of_further_nulls_follow_from_their_names():
    one, same, other = (Null(name, 9, "", "", lambda values, how: values) for name in ("a", "a", "b"))
    assert one.stream == same.stream != other.stream
    assert one.stream > 2**56
    assert 0 <= one.stream < 2**63


@pytest.mark.parametrize("name", ["real", "", "a b", "-x", "a,b"])
def test_a_null_has_a_name_of_its_own(name):
    with pytest.raises(ValueError, match="needs a name"):
        Null(name, 9, "", "", lambda values, how: values)


def test_a_null_that_changes_the_number_of_entries_is_an_error():
    short = Null("short", 9, "", "", lambda values, how: values[1:])
    with NULLS.added(short), pytest.raises(ValueError, match="short gave an array of shape"):
        gc.null("short", np.arange(5.0), 1)


@pytest.mark.usefixtures("toy")
def test_a_toy_in_one_file_is_drawn_and_probed(tmp_path):
    field = np.random.default_rng(1).standard_t(3, 500)
    assert np.array_equal(gc.null("mirrored", field, seed=1), field[::-1])
    np.save(tmp_path / "field.npy", field)
    run = CliRunner().invoke(app, ["probe", str(tmp_path / "field.npy"), "--null", "mirrored", "--json"])
    assert json.loads(run.stdout)["activity"] == gc.Probe()(field[::-1].copy()).activity.tolist()


@pytest.mark.usefixtures("toy")
def test_a_toy_in_one_file_is_planned_measured_fitted_and_told(tmp_path):
    for exponent, scale in enumerate(("s", "m", "l")):
        for step in range(3):
            folder = tmp_path / "runs" / scale / f"step_{step}"
            folder.mkdir(parents=True)
            values = np.random.default_rng([exponent, step]).standard_t(3, 1000 * 2**exponent)
            save_file({"layers.0.w": values.astype(np.float32)}, folder / "gradients.safetensors")
    family = FamilyPlan(name="toy", path="../runs", fields=("gradient",))
    plan = gc.Plan(families=(family,), nulls=NullPlan(kinds=("N0", "N2", "mirrored"), replicates=2))
    with gc.Study.create(tmp_path / "study", plan) as study:
        gc.run(study)
        cascades = study.cascades()
    mirrored = cascades.filter(pl.col("variant") == "mirrored")
    assert mirrored.height == 9  # nothing is drawn: no replicates
    assert "mirrored" in gc.fit_exponents(cascades)["variant"]
    answers = infer(cascades)
    assert "mirrored" in answers["differences"]["difference"]
    errors = answers["null_errors"].filter(pl.col("difference") == "mirrored")
    assert errors["replicates_se"].to_list() == [0.0] * 4  # the same at every draw
    page = {answer.name: answer for answer in all_answers(ReportData.from_tables(cascades))}
    assert any("real − mirrored" in sentence for sentence in page["differences"].sentences)


@pytest.mark.usefixtures("toy")
def test_a_toy_is_a_control_of_the_robustness_check():
    from gradcascade.study.choices import choices_of

    assert "mirrored" in [choice.name for choice in choices_of(gc.Plan(), 2) if choice.kind == "control"]


def test_a_plan_with_an_unknown_null_is_refused_with_the_names_there_are():
    with pytest.raises(gc.InputError, match=r"nulls.kinds.1: null 'sign' is unknown; did you mean 'signs'\?"):
        make_plan({"nulls": {"kinds": ["N0", "sign"]}}, "plan.toml")


def test_help_lists_the_nulls():
    words = " ".join(CliRunner().invoke(app, ["probe", "--help"]).output.split())
    assert "N0, N1, N2, signs, in-tensor, in-block or clipped" in words


def test_declarations_need_no_compiler():
    code = "import sys; from gradcascade.fields.nulls import NULLS; list(NULLS); assert 'numba' not in sys.modules"
    subprocess.run([sys.executable, "-c", code], check=True)
