from __future__ import annotations

from collections.abc import Callable

import numpy as np
import polars as pl
import pytest
import statsmodels.api as sm

from gradcascade.errors import InputError
from gradcascade.scaling.choice_shifts import PLANNED, SHIFT_SCHEMA, choice_shifts
from gradcascade.scaling.exponents import fit_exponents

Build = Callable[..., pl.DataFrame]


def chosen(table: pl.DataFrame, name: str, kind: str = "alpha") -> pl.DataFrame:
    return table.with_columns(choice=pl.lit(name), kind=pl.lit(kind))


def longer(table: pl.DataFrame, exponent: float) -> pl.DataFrame:
    """Durations that grow with N by a further power, not rounded."""
    n = pl.col("n").cast(pl.Float64)
    return table.with_columns(duration=pl.col("duration") * (n / 36_864) ** exponent)


def test_a_planted_shift_is_found_and_the_rest_is_noise(cascades: Build) -> None:
    planned = cascades(steps=range(8)).with_columns(pl.col("duration").cast(pl.Float64))
    rng = np.random.default_rng(0)
    wobble = planned.with_columns(duration=pl.col("duration") * pl.Series(rng.uniform(0.97, 1.03, planned.height)))
    table = pl.concat(
        [
            chosen(planned, PLANNED, "plan"),
            chosen(longer(planned, 0.1), "alpha 0.2"),
            chosen(longer(planned, -0.3), "alpha 0.4"),
            chosen(wobble, "graph ring", "graph"),
        ]
    )
    found = choice_shifts(table)
    assert found.columns == list(SHIFT_SCHEMA)
    z = found.filter(pl.col("exponent") == "z")
    assert z["choice"].to_list() == ["alpha 0.4", "alpha 0.2", "graph ring"]  # farthest first
    assert z["kind"].to_list() == ["alpha", "alpha", "graph"]
    np.testing.assert_allclose(z["shift"].to_numpy()[:2], [-0.3, 0.1], atol=1e-12)
    np.testing.assert_allclose(z["scales_value"].to_numpy()[:2], [-0.3, 0.1], atol=1e-12)
    assert z["verdict"].to_list() == ["moves", "moves", "within noise"]
    assert set(found.filter(pl.col("exponent") == "D")["verdict"]) == {"the same"}
    beta, delta = (found.filter(pl.col("exponent") == name).sort("choice") for name in ("beta", "delta"))
    np.testing.assert_allclose(beta["shift"].to_numpy(), delta["shift"].to_numpy(), atol=1e-12)
    np.testing.assert_allclose(beta.sort("choice")["shift"].to_numpy(), -z.sort("choice")["shift"].to_numpy())
    fits = fit_exponents(planned).filter(pl.col("exponent") == "z")
    assert z["planned"].to_list() == pytest.approx([fits["value"].mean()] * 3)


def test_only_steps_and_scales_that_both_have_are_compared(cascades: Build) -> None:
    planned = cascades(steps=range(6))
    other = longer(planned, 0.2).filter((pl.col("step") > 0) & ((pl.col("step") > 1) | (pl.col("scale") != "d24")))
    planned = planned.with_columns(pl.col("duration").cast(pl.Float64))
    row = choice_shifts(pl.concat([chosen(planned, PLANNED), chosen(other, "alpha 0.2")])).row(
        by_predicate=pl.col("exponent") == "z", named=True
    )
    assert row["n_steps"] == 5 and row["shift"] == pytest.approx(0.2)


def test_two_scales_give_no_interval(cascades: Build) -> None:
    planned = cascades(steps=range(5)).filter(pl.col("scale").is_in(["d24", "d48"]))
    found = choice_shifts(pl.concat([chosen(planned, PLANNED), chosen(planned, "alpha 0.2")]))
    assert set(found["verdict"]) == {"no interval"}
    assert found["low"].null_count() == found["se"].null_count() == found["degrees"].null_count() == found.height
    assert set(found["reason"]) == {"only 2 scales are there at half of the window's steps or more"}


def test_a_choice_that_reaches_the_ceiling_has_no_shift(cascades: Build) -> None:
    planned = cascades()
    stuck = planned.with_columns(ceiling=pl.lit(True))
    found = choice_shifts(pl.concat([chosen(planned, PLANNED), chosen(stuck, "graph ring")]))
    assert found["shift"].null_count() == found.height == 4
    assert set(found["reason"]) == {"no cascade in the window can be used"}


@pytest.mark.parametrize("steps", [1, 6])
def test_the_interval_is_that_of_a_line_through_the_mean_differences(cascades: Build, steps: int) -> None:
    planned, other = cascades(steps=range(steps)), cascades(steps=range(steps), seed=7)
    row = choice_shifts(pl.concat([chosen(planned, PLANNED), chosen(other, "alpha 0.2")])).row(
        by_predicate=pl.col("exponent") == "z", named=True
    )
    logs = [
        table.group_by("n").agg(pl.col("duration").log().mean()).sort("n")["duration"].to_numpy()
        for table in (other, planned)
    ]
    x = np.log(planned["n"].unique().sort().to_numpy())
    known = sm.OLS(logs[0] - logs[1], sm.add_constant(x)).fit()
    ours = [row[name] for name in ("shift", "se", "low", "high", "p", "degrees")]
    assert ours == pytest.approx([known.params[1], known.bse[1], *known.conf_int()[1], known.pvalues[1], 2])


def idle(cascades: Build, families: int, choices: int) -> pl.DataFrame:
    """Choices that do nothing, measured of many families."""
    rng = np.random.default_rng(1)
    base = pl.concat([cascades(steps=range(8)).with_columns(family=pl.lit(f"f{k}")) for k in range(families)])
    return pl.concat(
        chosen(
            base.with_columns(
                duration=pl.Series(np.exp(rng.normal(3, 0.1, base.height))),
                size=pl.Series(np.exp(rng.normal(9, 0.1, base.height))),
            ),
            PLANNED if choice == 0 else f"alpha {choice}",
        )
        for choice in range(choices + 1)
    )


def test_correlated_steps_move_nothing(cascades: Build) -> None:
    """At a correlation of 0.95 along training, an interval of the steps excludes zero in a third of the cases."""
    rng = np.random.default_rng(2)
    base = pl.concat([cascades(steps=range(8)).with_columns(family=pl.lit(f"f{k:03}")) for k in range(150)])
    base = base.sort("family", "scale", "step")
    noise = rng.standard_normal((600, 8))
    for step in range(1, 8):
        noise[:, step] = 0.95 * noise[:, step - 1] + np.sqrt(1 - 0.95**2) * noise[:, step]
    durations = [pl.Series(np.full(base.height, 20.0)), pl.Series(20 * np.exp(0.05 * noise).ravel())]
    names = (PLANNED, "alpha 0.2")
    table = pl.concat(chosen(base.with_columns(duration=d), name) for d, name in zip(durations, names, strict=True))
    found = choice_shifts(table).filter(pl.col("exponent") == "z")
    assert found.select((pl.col("p") <= 0.05).mean()).item() <= 0.1
    assert found.select((pl.col("verdict") == "moves").mean()).item() <= 0.06


def test_of_many_choices_that_do_nothing_hardly_any_is_said_to_move(cascades: Build) -> None:
    from scipy.stats import false_discovery_control

    found = choice_shifts(idle(cascades, 200, 12))
    own = found.filter(pl.col("exponent") != "beta")
    assert set(found["looked_at"]) == {3 * 12}
    one_by_one = (pl.col("p") <= 0.05).sum() / pl.len()
    assert own.select(one_by_one).item() == pytest.approx(0.05, abs=0.01)
    with_any = own.group_by("family").agg((pl.col("verdict") == "moves").any())["verdict"].mean()
    assert isinstance(with_any, float) and with_any <= 0.05 + 3 * np.sqrt(0.05 * 0.95 / 200)
    for _, part in own.group_by("family"):
        expected = false_discovery_control(part["p"].to_numpy())
        np.testing.assert_allclose(part["p_adjusted"].to_numpy(), expected, rtol=1e-12)


def test_beta_is_judged_as_delta_and_nulls_apart(cascades: Build) -> None:
    table = idle(cascades, 1, 4)
    table = table.with_columns(
        kind=pl.when(pl.col("choice") == "alpha 4").then(pl.lit("control")).otherwise(pl.lit("alpha"))
    )
    found = choice_shifts(table)
    assert found.filter(pl.col("choice") == "alpha 4")["looked_at"].unique().to_list() == [3]
    assert found.filter(pl.col("choice") != "alpha 4")["looked_at"].unique().to_list() == [9]
    beta, delta = (found.filter(pl.col("exponent") == name).sort("choice") for name in ("beta", "delta"))
    assert beta["p_adjusted"].to_list() == delta["p_adjusted"].to_list()


def test_a_choice_that_changes_nothing_is_the_same(cascades: Build) -> None:
    planned = cascades(steps=range(6))
    found = choice_shifts(pl.concat([chosen(planned, PLANNED), chosen(planned, "order file", "order")]))
    assert set(found["verdict"]) == {"the same"} and set(found["p_adjusted"]) == {1.0}


def test_replicates_are_averaged(cascades: Build) -> None:
    planned, drawn = cascades(steps=range(5)), cascades(steps=range(5), replicates=3, seed=1)
    found = choice_shifts(pl.concat([chosen(planned, PLANNED), chosen(drawn, "signs", "control")]))
    logs = drawn.group_by("step", "scale").agg(pl.col("duration").log().mean().exp(), pl.col("n").first())
    columns = [pl.lit(0).alias("replicate"), pl.lit("nano").alias("family"), pl.lit("gradient").alias("field")]
    mean = logs.with_columns(*columns, size=pl.col("n"), variant=pl.lit("real"), ceiling=False)
    expected = (
        fit_exponents(mean).filter(pl.col("exponent") == "z")["value"]
        - fit_exponents(planned).filter(pl.col("exponent") == "z")["value"]
    ).mean()
    assert found.filter(pl.col("exponent") == "z")["shift"].item() == pytest.approx(expected)


def test_nothing_to_compare(cascades: Build) -> None:
    planned = chosen(cascades(), PLANNED)
    assert choice_shifts(planned).is_empty() and choice_shifts(planned.clear()).is_empty()
    with pytest.raises(InputError, match="has nothing measured as planned"):
        choice_shifts(chosen(cascades(), "alpha 0.2"))
    with pytest.raises(InputError, match="lacks the columns kind, choice"):
        choice_shifts(cascades())
