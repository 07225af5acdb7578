"""Health of runs: planted faults are found, clean families left alone; PolyPythias has its published outliers."""

import numpy as np
import polars as pl
import pytest
from runs_of_scales import clean, sick

from gradcascade.inference import infer
from gradcascade.scaling.health import healthy, run_health

STEPS = [0, 1, 2, 4, 8, 16, 32, 64, 128, 256, 512, 1000, 3000, *range(13_000, 143_001, 10_000)]
# Scores of Pythia 410m by seed, polypythias/data/training_maps.tsv of EleutherAI/pythia (arXiv:2503.09543), from
# step 1,000 on; before it all lie between -1.20 and -1.01.
SCORES = """
0 -.758 .204 .661 .715 .865 .926 .929 1.023 1.043 1.037 1.051 1.082 1.110 1.089 1.133 1.101
1 -.719 .111 .624 .778 .815 .883 .929 1.019 .997 1.007 .985 1.001 1.060 1.058 1.045 1.016
2 -.726 .135 .686 .857 .839 .902 .937 .983 .975 1.038 1.044 1.040 1.053 1.038 1.061 1.074
3 -.728 .149 .676 .708 .824 .830 .923 .948 .998 .394 .574 .666 .758 .771 .788 .815
4 -.720 .119 .681 .786 .839 .992 .950 .998 1.006 1.020 1.051 1.065 1.058 -1.014 .023 .227
5 -.727 .169 .723 .803 .816 .949 .912 .903 .987 1.018 .993 .957 1.040 1.019 1.021 1.037
6 -.772 .155 .714 .802 .874 .908 1.003 .951 1.060 1.021 1.051 1.045 1.055 1.064 1.071 1.065
7 -.757 .061 .650 .803 .943 .922 .967 .922 .975 .985 1.033 .997 1.071 1.058 1.085 1.075
8 -.731 .145 .765 .876 .882 .941 .956 1.030 .992 1.076 1.083 1.122 1.083 1.095 1.132 1.106
9 -.748 .193 .693 .804 .854 .928 .921 .940 1.008 .991 .964 1.000 1.025 1.007 1.008 1.016
"""


def scores() -> pl.DataFrame:
    rows = [line.split() for line in SCORES.split("\n") if line]
    return pl.DataFrame(
        [
            ("pythia", "410m", seed, step, "score", float(value))
            for seed, *values in rows
            for step, value in zip(STEPS[11:], values, strict=True)
        ],
        schema=["family", "scale", "run", "step", "metric", "value"],
        orient="row",
    )


def test_the_outliers_of_polypythias_are_found_and_no_other():
    found = run_health(clean(np.random.default_rng(0), runs=1).head(0), scores())
    assert found.select("scale", "run", "first_step", "code").sort("run").rows() == [
        ("410m", "3", 83_000, "apart"),
        ("410m", "4", 123_000, "apart"),
    ]
    assert found.sort("run")["last_step"].to_list() == [93_000, 143_000]  # seed 3 comes back in part


def test_clean_families_are_left_alone():
    rng = np.random.default_rng(1)
    found = [run_health(clean(rng, runs=runs)) for runs in (1, 3, 5) for _ in range(6)]
    assert sum(not table.is_empty() for table in found) <= 1


@pytest.mark.parametrize("runs", [1, 5])
@pytest.mark.parametrize("factor", [0.4, 2.5])
def test_a_run_that_leaves_is_found_where_it_leaves(runs, factor):
    table = clean(np.random.default_rng(2), runs=max(runs, 2))
    table = sick(table, factor, 30_000)
    found = run_health(table if runs > 1 else table.filter(run="1"))
    assert set(found["scale"]) == {"s2"} and set(found["run"]) == {"1"}
    assert found["first_step"].min() == 30_000 and "size" in found["quantity"].to_list()
    row = found.filter(quantity="size").row(0, named=True)
    assert row["value"] / row["expected"] == pytest.approx(factor, rel=0.3)


def test_a_single_strange_step_is_not_a_sick_run():
    table = sick(clean(np.random.default_rng(3)), 0.4, 30_000, 30_000)
    assert run_health(table).is_empty()


def test_healthy_leaves_out_the_run_from_its_first_sick_step_on():
    table = sick(clean(np.random.default_rng(2)), 0.4, 30_000)
    kept = healthy(table, run_health(table))
    gone = table.join(kept, on=["scale", "run", "step"], how="anti")
    assert gone.select("scale", "run").unique().rows() == [("s2", "1")] and gone["step"].min() == 30_000
    assert kept.columns == table.columns and healthy(table, run_health(table).head(0)).equals(table)


def test_exponents_with_and_without_sick_runs_stand_side_by_side():
    table = sick(clean(np.random.default_rng(2)), 0.2, 20_000, scale="s3")
    answers = infer(table)
    d = pl.col("exponent") == "D"
    everything, without = (
        answers[name].filter(d)["scales_value"].item() for name in ("intervals", "healthy_intervals")
    )
    assert abs(without - 1) < 0.02 < abs(everything - 1)
    assert "healthy_intervals" not in infer(clean(np.random.default_rng(4)))
