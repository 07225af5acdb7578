from __future__ import annotations

import warnings
from pathlib import Path

import polars as pl
import pytest
from harness_results import write

from gradcascade.errors import InputError
from gradcascade.evaluations import EvaluationWarning
from gradcascade.performance.metrics import METRIC_SCHEMA
from gradcascade.performance.tables import read_table

LONG = pl.DataFrame(
    {"family": "f", "scale": ["a", "b", "a"], "step": [0, 0, 5], "metric": "acc", "value": [0.1, 0.2, None]},
    schema_overrides={"value": pl.Float64},
)


@pytest.mark.parametrize("suffix", ["csv", "parquet"])
def test_tables_long_and_wide(tmp_path: Path, suffix: str) -> None:
    long, wide = tmp_path / f"long.{suffix}", tmp_path / f"wide.{suffix}"
    columns = pl.DataFrame(
        {"scale": [24, 48], "step": [0, 0], "acc": [0.1, 0.2], "ppl": [9, None], "later": [None, None]}
    )
    for path, table in ((long, LONG), (wide, columns)):
        table.write_csv(path) if suffix == "csv" else table.write_parquet(path)
    found = read_table(long)
    assert found.schema == METRIC_SCHEMA
    assert found.rows() == [("f", "a", 0, "acc", 0.1), ("f", "b", 0, "acc", 0.2)]
    assert read_table(wide, family="g").rows() == [
        ("g", "24", 0, "acc", 0.1),
        ("g", "24", 0, "ppl", 9.0),
        ("g", "48", 0, "acc", 0.2),
    ]


@pytest.mark.parametrize(
    ("name", "content", "words"),
    [
        ("m.csv", "scale,acc\na,1\n", "lacks the column step"),
        ("m.csv", "scale,step,acc\na,1,0.5\n", "has no column family"),
        ("m.csv", "family,scale,step\nf,a,1\n", "has no column besides family, scale, step"),
        ("m.csv", "family,scale,step,acc\nf,a,1,high\n", "only column acc (text, first 'high')"),
        ("m.csv", "family,scale,step,value\nf,a,1,3\n", "lacks the column metric"),
        ("m.csv", "family,scale,step,acc\nf,a,1.5,3\n", "not whole numbers"),
        ("m.csv", "family,scale,step,acc\nf,a,,3\n", "no finite value for step"),
        ("m.csv", "family,scale,step,acc\nf,a,1,3\nf,a,1,4\n", "keep one evaluation"),
        ("m.csv", "", "cannot be read as csv"),
        ("m.parquet", "no parquet", "cannot be read as parquet"),
        ("m.xlsx", "x", "neither .csv nor .parquet"),
    ],
)
def test_bad_tables_are_refused(tmp_path: Path, name: str, content: str, words: str) -> None:
    path = write(tmp_path / name, content)
    with pytest.raises(InputError) as caught:
        read_table(path)
    assert words in str(caught.value) and str(path) in str(caught.value) and "\n" not in str(caught.value)


@pytest.mark.parametrize("cell", ["nan", "NaN", "NAN", "inf", "-inf", ""])
def test_a_cell_that_is_no_number_is_left_out_however_it_is_spelled(tmp_path, cell):
    (tmp_path / "m.csv").write_text(f"scale,step,loss\na,10,3.5\nb,10,{cell}\n")
    assert read_table(tmp_path / "m.csv", "x").rows() == [("x", "a", 10, "loss", 3.5)]


@pytest.mark.parametrize("step", ["-5", "99999999999999999999", "1e30"])
def test_a_step_that_can_be_none_is_refused(tmp_path, step):
    (tmp_path / "m.csv").write_text(f"scale,step,loss\na,{step},3.5\n")
    with pytest.raises(InputError, match="has steps below 0 or above"):
        read_table(tmp_path / "m.csv", "x")


STEPS = (0, 8, 16, 24)
SCALES = ("d24", "d48", "d96")


def wide(*headings: str, extra=lambda number, scale, step: ()) -> str:
    places = [(scale, step) for step in STEPS for scale in SCALES]
    lines = [
        ",".join(map(str, [*extra(number, scale, step), scale, step, 50 - number]))
        for number, (scale, step) in enumerate(places)
    ]
    return "\n".join([",".join([*headings, "scale", "step", "ppl"]), *lines]) + "\n"


@pytest.mark.parametrize(
    ("heading", "cell", "why"),
    [
        ("", lambda number, scale, step: number, "the column without a name (an index)"),
        ("Unnamed: 0", lambda number, scale, step: 3 * number, "an index"),
        ("place", lambda number, scale, step: number + 7, "a count of the rows"),
        ("epoch", lambda number, scale, step: step / 8 + number % 2, "bookkeeping"),
        ("train/epoch", lambda number, scale, step: 1.5, "bookkeeping"),
        ("Wall time", lambda number, scale, step: 1.7e9 + number**2, "bookkeeping"),
        ("_runtime", lambda number, scale, step: number**2, "bookkeeping"),
        ("_timestamp", lambda number, scale, step: number**2, "bookkeeping"),
        ("_step", lambda number, scale, step: step // 8, "bookkeeping"),
        ("learning_rate", lambda number, scale, step: 1e-3 - step * 1e-5, "bookkeeping"),
        ("batches", lambda number, scale, step: 4 * step + 2, "the steps in another unit"),
        ("again", lambda number, scale, step: step, "the steps in another unit"),
        ("note", lambda number, scale, step: f"run of {scale}", "text, first 'run of d24'"),
    ],
)
def test_what_is_no_metric_is_left_out_and_said(tmp_path: Path, heading, cell, why) -> None:
    path = write(tmp_path / "m.csv", wide(heading, extra=lambda *place: (cell(*place),)))
    with pytest.warns(EvaluationWarning) as caught:
        found = read_table(path, "nano")
    assert found["metric"].unique().to_list() == ["ppl"] and found.height == 12
    assert why in str(caught[0].message) and len(caught) == 1


def test_the_index_of_a_parquet_file_of_pandas_is_no_metric(tmp_path: Path) -> None:
    table = {"scale": ["a", "b"], "step": [1, 1], "loss": [2.0, 1.5], "__index_level_0__": [4, 2]}
    pl.DataFrame(table).write_parquet(tmp_path / "m.parquet")
    with pytest.warns(EvaluationWarning, match="an index"):
        assert read_table(tmp_path / "m.parquet", "f")["metric"].unique().to_list() == ["loss"]


def test_metrics_are_taken_by_name_whatever_they_are_called(tmp_path: Path) -> None:
    path = write(tmp_path / "m.csv", wide("epoch", extra=lambda number, scale, step: (step / 8,)))
    with pytest.warns(EvaluationWarning, match=r"ppl \(not asked for\)"):
        assert read_table(path, "nano", ["epoch"])["metric"].unique().to_list() == ["epoch"]
    with pytest.raises(InputError, match="has no column 'loss'; it has epoch, ppl"):
        read_table(path, "nano", ["loss"])
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        with pytest.raises(InputError, match=r"no column of a metric, only column epoch \(bookkeeping\)"):
            read_table(write(tmp_path / "n.csv", "scale,step,epoch\na,1,2\n"), "nano")


def test_metrics_in_rows_are_held_to_the_same(tmp_path: Path) -> None:
    rows = [f"{s},{t},{m},{v}" for s in "ab" for t in (1, 2, 3) for m, v in (("epoch", t), ("loss", 1 / t))]
    path = write(tmp_path / "m.csv", "\n".join(["scale,step,metric,value", *rows]))
    with pytest.warns(EvaluationWarning, match=r"epoch \(bookkeeping\)"):
        assert read_table(path, "f")["metric"].unique().to_list() == ["loss"]


def test_an_export_of_weights_and_biases(tmp_path: Path) -> None:
    names = [
        f'"{run} - {key}"' for run in ("nano-d24", "nano-d48") for key in ("loss", "loss__MIN", "loss__MAX", "_step")
    ]
    rows = ["0,5.0,5.0,5.0,0,4.0,4.0,4.0,0", "10,3.0,2.5,3.5,10,,,,", "20,2.0,2.0,2.0,20,1.5,1.0,2.0,20"]
    path = write(tmp_path / "wandb.csv", "\n".join([",".join(['"Step"', *names]), *rows]))
    with pytest.warns(EvaluationWarning, match=r"columns __MIN and __MAX \(the spread of a curve\)") as caught:
        found = read_table(path, "nano")
    assert "_step" in str(caught[0].message)
    assert found.rows() == [
        ("nano", "nano-d24", 0, "loss", 5.0),
        ("nano", "nano-d24", 10, "loss", 3.0),
        ("nano", "nano-d24", 20, "loss", 2.0),
        ("nano", "nano-d48", 0, "loss", 4.0),
        ("nano", "nano-d48", 20, "loss", 1.5),
    ]


def test_a_history_has_its_steps_under_another_name(tmp_path: Path) -> None:
    path = write(tmp_path / "m.csv", "Scale,_step,loss\na,10,3.5\n")
    assert read_table(path, "f").rows() == [("f", "a", 10, "loss", 3.5)]
    path = write(tmp_path / "n.csv", "scale,Step,STEP,loss\na,10,11,3.5\n")
    with pytest.raises(InputError, match="has the columns Step and STEP; call the one of the steps step"):
        read_table(path, "f")


def test_runs_of_a_scale_have_a_column(tmp_path: Path) -> None:
    path = write(tmp_path / "m.csv", "scale,run,step,loss\na,1,10,3.5\na,2,10,3.0\nb,,10,2.0\n")
    found = read_table(path, "f")
    assert found.select("scale", "run", "value").rows() == [("a", "1", 3.5), ("a", "2", 3.0), ("b", "0", 2.0)]
