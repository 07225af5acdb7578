import pytest
from small_models import adam, loss_of, small, train
from torch import nn

import gradcascade as gc
from gradcascade.errors import InputError
from gradcascade.report.access import study_data
from gradcascade.study.contents import contents_of_study
from gradcascade.study.merging import merge_studies
from gradcascade.view.live import LiveReport

WIDTHS = (20, 40, 80)
OPTIONS = {"every": 2, "fields": ("gradient", "update"), "nulls": ("N0", "N2"), "family": "mine", "strict": True}


def of_width(width):
    return nn.Sequential(nn.Linear(30, width), nn.ReLU(), nn.Linear(width, 20))


@pytest.fixture(scope="module")
def parts(tmp_path_factory):
    """One study for each of three widths."""
    folder = tmp_path_factory.mktemp("parts")
    for width in WIDTHS:
        model = of_width(width)
        with gc.Monitor(model, study=folder / f"d{width}", scale=f"d{width}", **OPTIONS) as monitor:
            train(model, monitor, 9)
    return folder


def test_three_trainings_are_merged_fitted_and_reported(parts, tmp_path):
    merged = merge_studies([parts / f"d{width}" for width in WIDTHS], tmp_path / "all")
    assert (merged.cascades, merged.missing) == (3 * (5 + 4) * 3, ())
    with gc.Study.open(tmp_path / "all") as study:
        table = study.cascades()
        assert table.group_by("field").len().sort("field").rows() == [("gradient", 45), ("update", 36)]
        assert table.filter(field="update")["span"].unique().to_list() == [1]
        exponents = gc.fit_exponents(table)
        assert set(exponents["field"].unique()) == {"gradient", "update"}
        assert exponents.filter(field="gradient", variant="real")["step"].n_unique() == 5
        assert study_data(study).families == ["mine"]


def test_several_trainings_go_into_one_study(tmp_path):
    for width in WIDTHS[:2]:
        model = of_width(width)
        with gc.Monitor(model, study=tmp_path / "s", scale=f"d{width}", **OPTIONS) as monitor:
            train(model, monitor, 3)
    with gc.Study.open(tmp_path / "s") as study:
        assert sorted(study.cascades()["scale"].unique()) == ["d20", "d40"]
    rows = contents_of_study(tmp_path / "s")
    assert {(row["order"], *row["stored"], row["rule"]) for row in rows} == {
        ("canonical", "float32", "the parameters that were trained when measuring began")
    }
    assert [(row["scale"], row["field"], row["tensors"], row["entries"]) for row in rows] == [
        (f"d{width}", field, 4, 31 * width + 20 * (width + 1)) for width in WIDTHS[:2] for field in OPTIONS["fields"]
    ]


def test_a_resumed_training_continues_its_study(tmp_path):
    model = small()
    optimizer = adam(model)
    for first in (0, 4):  # the second begins before the first has ended
        with gc.Monitor(model, study=tmp_path / "s", **OPTIONS) as monitor:
            train(model, monitor, 6, optimizer, first)
    with gc.Study.open(tmp_path / "s") as study:
        now = study.cascades().filter(variant="real")
        ever = study.store.cascades().filter(variant="real")  # in the order of measuring
    assert now.filter(field="gradient")["step"].to_list() == [0, 2, 4, 6, 8]
    assert now.filter(field="update")["step"].to_list() == [2, 4, 6, 8, 10]
    assert ever.height == now.height + 2  # gradient 4 and update 6 were measured twice, and the later counts
    again = ever.filter(field="gradient", step=4)
    assert now.filter(field="gradient", step=4)["content_hash"].item() == again["content_hash"].to_list()[-1]


def test_a_study_of_other_settings_is_refused_before_the_training(tmp_path):
    gc.Monitor(small(), study=tmp_path / "s", **OPTIONS).close()
    with pytest.raises(InputError, match=r"planned with probe\.alpha = 0\.3, not 0\.2"):
        gc.Monitor(small(), study=tmp_path / "s", probe=gc.Probe(alpha=0.2), **OPTIONS)
    (tmp_path / "other").mkdir()
    (tmp_path / "other" / "file").write_text("")
    with pytest.raises(InputError, match="holds something other than a study"):
        gc.Monitor(small(), study=tmp_path / "other", **OPTIONS)


def test_nothing_is_written_unless_asked(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    model = small()
    with gc.Monitor(model, adam(model), every=1, fields=("gradient", "momentum", "update")) as monitor:
        train(model, monitor, 3)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("background", [False, True])
def test_view_follows_a_training(tmp_path, background):
    model = small()
    written = []

    def render(study, out):
        out.mkdir()
        with gc.Study.open(study) as opened:
            written.append(opened.cascades().height)
            (out / "index.html").write_text(str(written[-1]))

    monitor = gc.Monitor(model, study=tmp_path / "s", background=background, **OPTIONS)
    live = LiveReport(tmp_path / "s", render)
    live._not_before = 0
    live.look()
    assert live.state.words.endswith("Nothing is being measured now.")
    optimizer = adam(model)
    for step in range(3):
        optimizer.zero_grad()
        loss_of(model, step).backward()
        monitor.after_backward(step)
        monitor.flush()
        optimizer.step()
        live._not_before = 0
        live.look()
        assert live.state.measuring
        assert live.state.words.startswith("Measuring: ")
    assert written == [3, 9]
    monitor.close()
    live.look()
    assert (live.state.measuring, live.state.words) == (False, "Measuring has ended: 9 cascades.")


@pytest.mark.usefixtures("no_figures")
def test_the_report_of_a_live_study_is_written_and_viewed(parts, tmp_path):
    """By `gradcascade report`, and by `gradcascade view` while the study grows, with the page that it shows."""
    from gradcascade.cli.main import app

    study = tmp_path / "all"
    merge_studies([parts / f"d{width}" for width in WIDTHS], study)
    with pytest.raises(SystemExit) as done:
        app(["report", str(study)])
    assert not done.value.code
    page = (study / "report" / "index.html").read_text(encoding="utf-8")
    assert all(f"d{width}" in page for width in WIDTHS)
    assert "the parameters that were trained when measuring began" in page
    live = LiveReport(study)
    live._not_before = 0
    live.look()
    assert live.state.version
    shown = live.state.files["index.html"].decode()
    assert all(f"d{width}" in shown for width in WIDTHS)


def test_scales_with_other_tensors_are_refused_before_the_training(tmp_path):
    gc.Monitor(of_width(20), study=tmp_path / "s", scale="d20", **OPTIONS).close()
    gc.Monitor(of_width(40), study=tmp_path / "s", scale="d40", **OPTIONS).close()
    other = of_width(80)
    other.add_module("more", nn.Embedding(3, 4))
    with pytest.raises(InputError, match=r"scale d80 has the tensor 'more\.weight' .*choose the same parts") as said:
        gc.Monitor(other, study=tmp_path / "s", scale="d80", **OPTIONS)
    assert "--" not in str(said.value)  # options of the command line do not help here
    with pytest.raises(InputError, match="holds scale d20, run 0 of mine with other tensors"):
        gc.Monitor(other, study=tmp_path / "s", scale="d20", **OPTIONS)
    patterns = ["0.weight", "0.bias", "2.weight", "2.bias"]
    gc.Monitor(other, study=tmp_path / "s", scale="d80", patterns=patterns, **OPTIONS).close()
    gc.Monitor(of_width(20), study=tmp_path / "s", scale="d20", **OPTIONS).close()  # resumed


def test_an_update_measured_again_over_another_span_replaces_the_first(tmp_path):
    for span in (1, 2):
        model = small()
        with gc.Monitor(model, study=tmp_path / "s", span=span, **OPTIONS) as monitor:
            train(model, monitor, 4)
    with gc.Study.open(tmp_path / "s") as study:
        updates = study.cascades().filter(field="update", variant="real")
    assert updates.select("step", "span").rows() == [(2, 2), (4, 2)]
