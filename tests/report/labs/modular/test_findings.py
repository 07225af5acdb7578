from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import polars as pl
import pytest

from gradcascade.report.labs.modular.figures import FIGURES
from gradcascade.report.labs.modular.findings import NEAR, RISE, WHOLE, ModularFindings
from gradcascade.report.labs.modular.page import headline, summary, verdict, write_modular_page
from gradcascade.scaling.phases import METHODS, phase_exponents

SIZES = {"d4": 200, "d8": 700, "d16": 2500, "d32": 9000}
RUNS = ("0", "1")
FAMILIES = ("control", "grokking", "other")


def transition(scale: str, run: str) -> int:
    return 40 + 10 * list(SIZES).index(scale) + 20 * int(run)


def planted(before: float = 1.12, after: float = 0.92, noise: float = 0.01, **more) -> ModularFindings:
    """Runs that pass half of the test 20 steps before they pass 99 %; D changes at the latter."""
    rng = np.random.default_rng(1)
    cascades, metrics = [], []
    for family in FAMILIES:
        for scale, n in SIZES.items():
            for run in RUNS:
                at = transition(scale, run)
                for step in range(0, at + 31, 10):
                    grown = family == "grokking"
                    slope = after if grown and step >= at else before
                    named = {"family": family, "scale": scale, "run": run, "step": step}
                    alike = {"replicate": 0, "n": n, "duration": 25, "ceiling": False}
                    for variant in ("real", "N0") if grown else ("real",):
                        power = slope if variant == "real" else 1.0
                        size = 0.1 * n**power * np.exp(noise * rng.standard_normal())
                        activity = [round(size / 25)] * 25
                        cascades.append(named | alike | {"variant": variant, "size": size, "activity": activity})
                    right = 0.01 if not grown or step < at - 20 else 0.7 if step < at else 0.995
                    values = {"test_accuracy": right, "training_accuracy": 1.0 if step >= 30 else 0.2}
                    metrics += [named | {"metric": metric, "value": value} for metric, value in values.items()]
    tables = {"cascades": pl.DataFrame(cascades), "metrics": pl.DataFrame(metrics)} | more
    return ModularFindings(**tables, grokking="grokking", threshold=0.99, near=20, resamples=50)


@pytest.fixture(scope="module")
def findings() -> ModularFindings:
    return planted()


def test_every_run_is_aligned_on_its_own_first_step_above_the_threshold(findings: ModularFindings) -> None:
    assert findings.transitions == {(scale, run): transition(scale, run) for scale in SIZES for run in RUNS}
    assert findings.rises == {name: at - 20 for name, at in findings.transitions.items() if at is not None}


def test_phases_are_those_of_each_series_in_each_window(findings: ModularFindings) -> None:
    assert list(findings.series) == ["grokking", "control", "other", "grokking, N0"]
    rows = findings.cascades.filter(family="control", variant="real")
    for window, at, limits in (
        (NEAR, findings.transitions, {"before": 21, "after": 20}),
        (WHOLE, findings.transitions, {}),
        (RISE, findings.rises, {"before": 21, "after": 20}),
    ):
        found = findings.phases.filter(series="control", exponent="D", window=window)
        known = phase_exponents(rows, at, resamples=50, before=limits.get("before"), after=limits.get("after"))
        assert found.drop("series", "exponent", "window").equals(known)
    delta = findings.phases.filter(series="grokking", exponent="delta", window=NEAR, method="means", phase="before")
    assert delta["value"][0] == pytest.approx(0.12, abs=0.03)
    assert delta["window"].len() == 1 and "delta" not in findings.phases.filter(window=WHOLE)["exponent"]
    assert findings.series["other"]["short_size"].to_list() == pytest.approx(
        (findings.series["other"]["size"] * 20 / 25).to_list(), abs=20 * 0.5
    )


def test_differences_are_those_of_the_exponents_where_both_have_the_same_runs(findings: ModularFindings) -> None:
    names = ("grokking − other", "grokking", "other")
    phases = findings.phases.filter(exponent="D", window=NEAR, phase="after")
    parts = [phases.filter(series=name)["value"] for name in names]
    assert parts[0].to_list() == pytest.approx((parts[1] - parts[2]).to_list(), abs=1e-9)
    step = {"about": "transition", "step": 10}
    along = [
        findings.along.filter(series=name, **step)["value"][0] for name in ("grokking − other", "grokking", "other")
    ]
    assert along[0] == pytest.approx(along[1] - along[2], abs=1e-9)


def test_a_fall_through_one_is_said_and_controls_beside_it(findings: ModularFindings) -> None:
    first, rise, *controls = headline(findings)
    assert first.startswith("grokking: D before 1.1") and first.endswith("D falls through 1 as published.")
    assert rise.startswith("grokking, about the step at which half of the test is right: D before 1.1")
    controls, changes = controls[:2], controls[2:]
    assert [sentence.split(":")[0] for sentence in changes] == [
        f"Change of D less that of {name}" for name in ("control", "other", "grokking, N0")
    ]
    assert [sentence.split(":")[0] for sentence in controls] == ["control", "other"]
    assert all(sentence.endswith("above 1 before and above 1 after.") for sentence in controls)


def ends(low: float | None, high: float | None) -> dict[str, float | None]:
    return {"value": 1.0, "low": low, "high": high}


@pytest.mark.parametrize(
    ("before", "after", "change", "words"),
    [
        ((1.05, 1.2), (0.8, 0.95), (-0.3, -0.1), "D falls through 1 as published"),
        ((1.2, 1.4), (1.05, 1.2), (-0.3, -0.1), "D falls, and is above 1 before and above 1 after; that it falls"),
        ((0.8, 0.9), (1.05, 1.2), (0.1, 0.4), "D rises, and is below 1 before and above 1 after; that it falls"),
        ((0.9, 1.2), (0.7, 0.95), (-0.3, -0.1), "D falls, and is not told apart from 1 before and below 1 after"),
        ((0.9, 1.2), (0.9, 1.1), (-0.2, 0.1), "D is not shown to change, and is not told apart from 1 before and"),
        ((None, None), (None, None), (None, None), "without intervals, since a width has a single run"),
    ],
)
def test_what_intervals_tell_is_said(before: tuple, after: tuple, change: tuple, words: str) -> None:
    found = verdict({"before": ends(*before), "after": ends(*after), "after - before": ends(*change)})
    assert found.startswith(words) and ("not found here" in found) == ("that it falls" in words or "not " in words)


def test_runs_that_do_not_pass_and_controls_that_do_are_named() -> None:
    known = planted().metrics
    of_run = (pl.col("scale") == "d8") & (pl.col("run") == "1") & (pl.col("metric") == "test_accuracy")
    value = pl.when(of_run & (pl.col("family") == "grokking")).then(0.8)
    value = value.when(of_run & (pl.col("family") == "other") & (pl.col("step") > 50)).then(1.0).otherwise("value")
    found = planted(metrics=known.with_columns(value=value))
    missed, passed = headline(found)[-2:]
    assert missed == "Left out, since 99% of the test was not passed: d8 seed 1."
    assert passed.endswith("other d8 seed 1.")
    assert set(found.phases.filter(series="grokking")["left_out"]) == {1}
    assert found.runs.filter(family="other", scale="d8", run="1")["transition"].to_list() == [60]


def test_cascades_that_were_stopped_or_never_began_do_not_count_and_are_counted() -> None:
    known = planted().cascades
    hit = (pl.col("family") == "grokking") & (pl.col("scale") == "d4") & (pl.col("run") == "0")
    hit &= pl.col("variant") == "real"
    stopped = known.with_columns(
        ceiling=hit & (pl.col("step") == 10), size=pl.when(hit & (pl.col("step") == 20)).then(0.0).otherwise("size")
    )
    found = planted(cascades=stopped)
    assert found.runs.filter(family="grokking", scale="d4", run="0")["left_out"].to_list() == [2]
    without = planted(cascades=known.filter(~(hit & pl.col("step").is_in([10, 20]))))
    assert all(found.series[name].equals(rows) for name, rows in without.series.items())


def test_the_page_has_figures_tables_and_the_same_numbers_as_json(findings: ModularFindings, tmp_path: Path) -> None:
    report = write_modular_page(findings, tmp_path, ["a note"], "prime = 59")
    text = report.page.read_text(encoding="utf-8")
    assert "a note" in text and "prime = 59" in text and headline(findings)[0].split(" (")[0] in text
    for figure in FIGURES:
        drawn = figure(findings)
        assert drawn.missing() is None and (tmp_path / "figures" / f"{drawn.name}.svg").stat().st_size > 1000
    told = json.loads((tmp_path / "results.json").read_bytes())
    assert told["headline"] == list(report.headline)
    assert pl.DataFrame(told["runs"], schema=findings.runs.schema).equals(findings.runs)
    first, *rest = summary(findings).to_dicts()
    assert (first["before"], first["after"], first["change"]) == ("1.12", "0.92", "−0.20")
    assert len(rest) == (2 * len(findings.series) - 1) * 3 * len(METHODS)
    assert all(row["runs"] == 8 for row in rest)


def test_without_three_widths_the_page_says_so(tmp_path: Path) -> None:
    full = planted()
    few = {name: getattr(full, name).filter(pl.col("scale").is_in(["d4", "d8"])) for name in ("cascades", "metrics")}
    found = planted(**few)
    assert "fewer than three widths" in headline(found)[0]
    assert all(figure(found).missing() for figure in FIGURES[:3])
    assert "fewer than three widths" in write_modular_page(found, tmp_path, [], "").page.read_text(encoding="utf-8")
