import shutil

import pytest

import gradcascade as gc
from gradcascade.errors import InputError
from gradcascade.view.live import PATIENCE, LiveReport


class Clock:
    def __init__(self):
        self.now = 100.0

    def __call__(self):
        return self.now


def title(live):
    return live.state.files["index.html"].decode()


def test_the_report_is_written_once_and_again_when_the_study_grows(study, render, add_cascade):
    clock = Clock()
    live = LiveReport(study, render, clock)
    assert (live.state.version, live.state.files) == ("", {})
    live.look()
    first = live.state
    assert title(live) == "<title>42 cascades</title>"
    assert set(first.files) == {"index.html", "figures/a.svg"}
    assert first.words == "Nothing is being measured now: 42 cascades."
    live.look()
    assert live.state == first
    with gc.Study.open(study) as opened:
        add_cascade(opened)
        live.look()
        assert title(live) == "<title>43 cascades</title>"
        assert live.state.version != first.version
        assert live.state.words == "Measuring: 43 cascades." and live.state.measuring
        add_cascade(opened)
    live.look()
    assert live.state.words == "Measuring has ended: 44 cascades."
    assert not live.state.measuring


def test_a_slow_report_is_not_written_again_at_once(study, render, add_cascade):
    clock = Clock()

    def slow(folder, out):
        clock.now += 10
        render(folder, out)

    live = LiveReport(study, slow, clock)
    live.look()
    with gc.Study.open(study) as opened:
        add_cascade(opened)
    clock.now += PATIENCE * 10 - 1
    live.look()
    assert title(live) == "<title>42 cascades</title>"
    assert live.state.words == "Measuring has ended: 43 cascades, 1 of them since this report."
    clock.now += 1
    live.look()
    assert title(live) == "<title>43 cascades</title>"


def test_what_is_measured_while_a_report_is_written_gets_one_of_its_own(study, render, add_cascade):
    clock = Clock()

    def while_measuring(folder, out):
        render(folder, out)
        if clock.now == 100:
            with gc.Study.open(study) as opened:
                add_cascade(opened)

    live = LiveReport(study, while_measuring, clock)
    live.look()
    assert title(live) == "<title>42 cascades</title>"
    clock.now += 1
    live.look()
    assert title(live) == "<title>43 cascades</title>"


def test_a_study_without_cascades_waits_and_comes_to_life(study, measured, render):
    (study / "cascades.sqlite").unlink()
    live = LiveReport(study, render)
    live.look()
    assert "the report appears with the first" in live.state.words
    assert not (study / "cascades.sqlite").exists()
    with gc.Study.open(study):  # makes an empty store
        live.look()
        assert live.state.version == "" and live.state.measuring
    shutil.copy(measured / "cascades.sqlite", study)
    live.look()
    assert title(live) == "<title>42 cascades</title>"


def test_a_report_that_cannot_be_written_says_why_and_stays(study, render, add_cascade):
    def failing(folder, out):
        raise InputError("the window holds no measured step")

    live = LiveReport(study, failing)
    live.look()
    live.look()
    assert live.state.words == "There is no report of this: the window holds no measured step."
    live = LiveReport(study, render)
    live.look()
    (study / "cascades.sqlite").write_text("not a database " * 100)
    live.look()
    assert "The study cannot be read now" in live.state.words
    assert title(live) == "<title>42 cascades</title>"


def test_nothing_is_written_into_the_study(study):
    before = {path: path.read_bytes() for path in study.rglob("*") if path.is_file()}
    live = LiveReport(study)
    live.look()
    assert live.state.files["index.html"].lower().startswith(b"<!doctype html>")
    assert {path: path.read_bytes() for path in study.rglob("*") if path.is_file()} == before


@pytest.mark.parametrize("name", ["nowhere", "."])
def test_a_folder_that_is_no_study_is_named(tmp_path, name):
    with pytest.raises(InputError, match="is not a study"):
        LiveReport(tmp_path / name)


def test_a_study_of_another_version_is_named(study):
    (study / "provenance.json").write_text('{"format": 99}')
    with pytest.raises(InputError, match="another version"):
        LiveReport(study)
