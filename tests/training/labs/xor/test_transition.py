import polars as pl

from gradcascade.training.labs.xor.config import XorConfig
from gradcascade.training.labs.xor.transition import transitions

CONFIG = XorConfig(epochs=30)


def series(**accuracy):
    return pl.concat(
        pl.DataFrame({"scale": "h20", "run": run, "step": range(31), "accuracy": right}).with_columns(
            loss=pl.when(pl.col("accuracy") == 1).then(0.1).otherwise(0.5)
        )
        for run, right in accuracy.items()
    )


def test_a_run_passes_at_the_first_recorded_epoch_from_which_it_stays_right():
    found = transitions(
        series(
            late=[0.5] * 11 + [1.0] * 20,
            exact=[0.5] * 20 + [1.0] * 11,
            back=[1.0] * 5 + [0.75] + [1.0] * 25,
            at_once=[1.0] * 31,
            never=[0.75] * 31,
            at_the_end=[0.75] * 30 + [1.0],
        ),
        CONFIG,
    )
    assert {run: at for (_, run), at in found.items()} == {
        "late": 20, "exact": 20, "back": 10, "at_once": 0, "never": None, "at_the_end": 30,
    }  # fmt: skip


def test_the_rule_of_the_loss_looks_at_the_loss():
    table = series(one=[0.5] * 11 + [1.0] * 20).with_columns(accuracy=0.5)
    assert transitions(table, CONFIG, "loss") == {("h20", "one"): 20}
    assert transitions(table, CONFIG) == {("h20", "one"): None}
