from __future__ import annotations

import numpy as np
import polars as pl
from polars.testing import assert_frame_equal

from gradcascade.inference import infer
from gradcascade.scaling.verdict import verdicts


def table(steps: int, scales: int = 4) -> pl.DataFrame:
    rng = np.random.default_rng(1)
    rows = [
        {
            "family": "nano",
            "scale": f"s{k}",
            "step": step,
            "field": "gradient",
            "variant": variant,
            "n": 4**k * 10_000,
            "size": int(1350 * 4**k * rng.uniform(0.9, 1.1)),
            "duration": 4,
            "activity": [4**k * 1000, int(rng.integers(300, 500)), 40, 3],
        }
        for step in range(steps)
        for k in range(scales)
        for variant in ("real", "N0", "N2")
    ]
    return pl.DataFrame(rows)


def nan_cells(answers: dict[str, pl.DataFrame]) -> list[str]:
    return [
        f"{name}.{column}"
        for name, answer in answers.items()
        for column, kind in answer.schema.items()
        if kind.is_float() and answer[column].is_nan().any()
    ]


def test_every_answer_is_there_and_has_no_nan() -> None:
    cascades = table(30).with_columns(duration=pl.Series(np.random.default_rng(2).integers(5, 20, 360)))
    metrics = pl.DataFrame(
        {"family": "nano", "scale": "s0", "step": range(30), "metric": "loss", "value": np.linspace(5.0, 3.0, 30)}
    )
    answers = infer(cascades, (5, 29), metrics)
    assert not nan_cells(answers)
    # One field, one run, too few steps or runs to judge their health.
    empty = [name for name, answer in answers.items() if answer.is_empty()]
    assert empty == ["contrasts", "local_exponents", "health", "run_intervals"]
    assert_frame_equal(answers["verdicts"], verdicts(cascades, (5, 29)))
    plain = infer(cascades.drop("activity"))
    of_profiles = {"continuous", "rounding", "collapse", "window_collapse", "duration_verdicts"}
    of_profiles |= {"duration_intervals", "run_intervals"}
    assert set(answers) - set(plain) == of_profiles | {"metric_exponents", "associations"}


def test_poor_tables_give_reasons_and_no_nan() -> None:
    full = table(3)
    poor = {
        "equal durations": full,
        "one step": full.filter(pl.col("step") == 0),
        "one scale": full.filter(pl.col("scale") == "s0"),
        "missing scales": full.filter((pl.col("scale") != "s0") | (pl.col("step") == 1)),
        "ceiling": full.with_columns(ceiling=pl.col("step") == 1),
        "nothing": full.head(0),
    }
    for words, cascades in poor.items():
        answers = infer(cascades)
        assert not nan_cells(answers), words
        for name, value in (
            ("leave_one_out", "loo_low"),
            ("curvature", "p"),
            ("laws", "difference"),
            ("weighted", "se"),
        ):
            answer = answers[name]
            assert answer.filter(pl.col(value).is_null() & pl.col("reason").is_null()).is_empty(), (words, name)
        for prefix, value in (("", "low"), ("scales_", "scales_low")):
            unexplained = pl.col(value).is_null() & pl.col(f"{prefix}reason").is_null()
            assert answers["intervals"].filter(unexplained).is_empty(), words
        assert answers["verdicts"]["sentence"].null_count() == 0


def test_metrics_of_several_runs_are_averaged() -> None:
    cascades = pl.concat([table(12).with_columns(run=pl.lit(run)) for run in ("0", "1")])
    named = [
        {"family": "nano", "scale": f"s{k}", "run": run, "step": step, "metric": "loss", "value": (k + 2.0) * factor}
        for k in range(4)
        for step in range(12)
        for run, factor in (("0", 1.0 + step), ("1", 4.0 + 4 * step))
    ]
    found = infer(cascades, None, pl.DataFrame(named))
    middle = pl.DataFrame([row | {"value": 2 * row["value"]} for row in named if row["run"] == "0"])
    expected = infer(cascades, None, middle)
    for name in ("metric_exponents", "associations"):
        assert_frame_equal(found[name], expected[name])
