from __future__ import annotations

from collections.abc import Callable

import numpy as np
import polars as pl
import pytest
from polars.testing import assert_frame_equal

from gradcascade.errors import InputError
from gradcascade.inference import infer
from gradcascade.scaling import points as module
from gradcascade.scaling.channels import channels
from gradcascade.scaling.exponents import fit_exponents
from gradcascade.scaling.null_differences import null_differences
from gradcascade.scaling.points import Points, points_of
from gradcascade.scaling.weighted import weighted_exponents
from gradcascade.scaling.window_means import window_differences, window_intervals

Build = Callable[..., pl.DataFrame]


def several_runs(cascades: Build, runs: int = 3, **options: object) -> pl.DataFrame:
    tables = (cascades(seed=seed, **options).with_columns(run=pl.lit(str(seed))) for seed in range(runs))
    return pl.concat(tables)


def test_a_table_is_checked_once_for_all_answers(cascades: Build, monkeypatch: pytest.MonkeyPatch) -> None:
    count = []
    monkeypatch.setattr(module, "channels", lambda table: count.append(table.height) or channels(table))
    infer(cascades(variants=("real", "N0", "N2")), (2, 9))
    assert count == [120]


def test_answers_are_those_of_the_plain_table(cascades: Build) -> None:
    table = cascades(variants=("real", "N0"), replicates=2).sample(fraction=1.0, shuffle=True, seed=1)
    points = points_of(table, (2, 7))
    assert points_of(points) is points and points_of(points, (0, 3)).windows == {("nano", "gradient"): (0, 3)}
    assert_frame_equal(fit_exponents(points), fit_exponents(table), check_exact=True)
    assert_frame_equal(window_intervals(points), window_intervals(table, (2, 7)), check_exact=True)
    assert_frame_equal(window_intervals(points, (0, 3)), window_intervals(table, (0, 3)), check_exact=True)


def test_a_table_without_runs_is_one_of_run_0(cascades: Build) -> None:
    table = cascades(replicates=2)
    for run in ("0", "seed 1", None):
        named = table.with_columns(run=pl.lit(run, dtype=pl.String))
        assert_frame_equal(fit_exponents(named), fit_exponents(table), check_exact=True)
    assert set(points_of(table).rows["run"]) == {"0"}


def test_runs_count_alike_however_many_replicates_they_have(cascades: Build) -> None:
    table = several_runs(cascades, replicates=3)
    table = table.filter((pl.col("run") != "1") | (pl.col("replicate") == 0))
    row = fit_exponents(table).filter(pl.col("exponent") == "z", pl.col("step") == 4).row(0, named=True)
    logs = table.filter(pl.col("step") == 4).with_columns(pl.col("duration").log())
    runs = logs.group_by("scale", "n", "run").agg(pl.col("duration").mean())
    means = runs.group_by("scale", "n").agg(pl.col("duration").mean())
    slope = np.polyfit(np.log(means["n"].to_numpy()), means["duration"].to_numpy(), 1)[0]
    assert row["value"] == pytest.approx(slope) and row["n_scales"] == 4
    assert points_of(table).n_runs["n_runs"].to_list() == [3, 3, 3, 3]


def test_differences_are_taken_run_by_run(cascades: Build) -> None:
    table = several_runs(cascades, variants=("real", "N0"))
    table = table.filter((pl.col("variant") == "real") | (pl.col("run") == "1"))
    alone = table.filter(pl.col("run") == "1")
    assert_frame_equal(window_differences(table, (0, 9)), window_differences(alone, (0, 9)))
    columns = ["value", "se", "low", "high"]
    assert_frame_equal(null_differences(table).select(columns), null_differences(alone).select(columns))


def test_the_draws_of_runs_are_shared_and_their_means_averaged(cascades: Build) -> None:
    one = cascades(variants=("real", "N0"), replicates=4)
    # Half the replicates in each of two runs: runs share their draws, so half as many stand behind a scale.
    halved = one.with_columns(run=(pl.col("replicate") // 2).cast(pl.String), replicate=pl.col("replicate") % 2)
    ours, theirs = null_differences(halved), null_differences(one)
    assert_frame_equal(ours.select("value", "se"), theirs.select("value", "se"))
    ratio = (ours["replicates_se"] / theirs["replicates_se"]).to_numpy()
    assert ratio.min() > 0.7 * 2**0.5 and ratio.max() < 1.4 * 2**0.5


def test_runs_weigh_a_scale_where_there_are_several(cascades: Build) -> None:
    found = weighted_exponents(several_runs(cascades))
    assert found["reason"].null_count() == found.height and found["value"].null_count() == 0
    lonely = several_runs(cascades).filter((pl.col("scale") != "d48") | (pl.col("run") == "0"))
    assert set(weighted_exponents(lonely)["reason"]) == {
        "scale d48 has one run and others have several; weights need several of each"
    }


def test_two_runs_of_equal_content_are_one(cascades: Build) -> None:
    one = cascades().with_columns(run=pl.lit("1"), content_hash=pl.format("{}-{}", "scale", "step"))
    copy = one.filter(pl.col("step") > 3).with_columns(run=pl.lit("2"))
    both = pl.concat([copy, one])
    left_out = channels(both).filter(~pl.col("included"))
    assert left_out.select("run", "code", "reason").unique().rows() == [
        ("2", "same-as-run", "has the same values as run 1")
    ]
    assert left_out.height == copy.height
    assert_frame_equal(fit_exponents(both), fit_exponents(one), check_exact=True)
    assert points_of(both).n_runs["n_runs"].to_list() == [1] * 4
    renamed = copy.filter(pl.col("scale") == "d48").with_columns(scale=pl.lit("other"))
    other = channels(pl.concat([one, renamed])).filter(~pl.col("included"))
    assert set(other["code"]) == {"same-as-scale"}


def test_runs_of_different_size_and_several_spans_are_refused(cascades: Build) -> None:
    larger = cascades().with_columns(run=pl.lit("1"), n=pl.col("n") + 1)
    with pytest.raises(InputError, match="scale d192 of nano has fields of 2359296 and of 2359297 entries at step 0"):
        Points.of(pl.concat([cascades().with_columns(run=pl.lit("0")), larger]))
    updates = cascades(field="update")
    spans = pl.concat([updates.with_columns(span=pl.lit(span)) for span in (100, 1000)])
    with pytest.raises(InputError) as caught:
        fit_exponents(spans)
    assert str(caught.value) == (
        "the updates of nano, scale d192, run 0, step 0 have several spans (100 and 1,000 optimizer steps); "
        "fit one span at a time: fit, report and export take --span, a table keeps the rows of one"
    )
    fit_exponents(updates.with_columns(span=pl.when(pl.col("step") > 4).then(1000).otherwise(100)))


def test_inference_counts_the_runs_that_enter(cascades: Build) -> None:
    table = several_runs(cascades).filter((pl.col("scale") != "d96") | (pl.col("run") == "0"))
    found = infer(table)["runs"]
    assert found.rows() == [
        ("nano", "gradient", scale, n) for scale, n in zip(("d24", "d48", "d96", "d192"), (3, 3, 1, 3), strict=True)
    ]
