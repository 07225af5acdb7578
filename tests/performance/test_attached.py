import json

import polars as pl
import pytest
from harness_results import harness_results, renamed, write, written_today

from gradcascade.errors import InputError
from gradcascade.performance.attached import read_metrics
from gradcascade.performance.metrics import METRIC_SCHEMA, metric_exponent, metric_exponents


def table(*rows):
    return pl.DataFrame(rows, schema=METRIC_SCHEMA, orient="row")


def test_each_kind_of_file_is_read_by_its_reader(tmp_path):
    (tmp_path / "m.csv").write_text("scale,step,loss\n70m,10,2.5\n")
    table(("own", "70m", 10, "loss", 2.5)).write_parquet(tmp_path / "m.parquet")
    write(tmp_path / "runs" / "tiny" / "eval_results" / "step_10.json", {"paloma": 50})
    write(tmp_path / "evals" / "zero-shot" / "70m_step10.json", {"results": harness_results()})
    assert read_metrics(tmp_path / "m.csv", "own").rows() == [("own", "70m", 10, "loss", 2.5)]
    assert read_metrics(tmp_path / "m.parquet", "another").rows() == [("own", "70m", 10, "loss", 2.5)]
    for folder in (tmp_path, tmp_path / "runs", tmp_path / "runs" / "tiny"):
        assert read_metrics(folder, "own").rows() == [("own", "tiny", 10, "paloma", 50.0)]
    assert read_metrics(tmp_path / "evals", "own")["metric"].to_list() == ["accuracy"]


def test_names_of_the_harness_since_version_0_4(tmp_path):
    old = harness_results()
    renamed = {task: {f"{key},none": value for key, value in values.items()} for task, values in old.items()}
    write(tmp_path / "old" / "70m_step10.json", {"results": old})
    write(tmp_path / "new" / "70m_step10.json", {"results": renamed})
    assert read_metrics(tmp_path / "new", "own").equals(read_metrics(tmp_path / "old", "own"))


def test_what_is_no_metrics_is_refused(tmp_path):
    (tmp_path / "notes.txt").write_text("none")
    with pytest.raises(
        InputError, match=r"holds neither files named like 70m_step143000\.json or results_.*\.json nor eval_results"
    ):
        read_metrics(tmp_path, "own")
    with pytest.raises(InputError, match="names no family; say which family it belongs to"):
        read_metrics(tmp_path)
    with pytest.raises(InputError, match=r"neither \.csv nor \.parquet"):
        read_metrics(tmp_path / "notes.txt", "own")
    with pytest.raises(InputError, match="does not exist"):
        read_metrics(tmp_path / "absent.csv", "own")


def test_slopes_of_several_families_use_each_familys_own_sizes():
    sizes = {"a": {"s": 100, "m": 1_000, "l": 10_000}, "b": {"s": 10, "m": 1_000, "l": 100_000}}
    rows = [(family, scale, 1, "loss", n**-0.25) for family, own in sizes.items() for scale, n in own.items()]
    cascades = pl.DataFrame(
        [(family, scale, n) for family, own in sizes.items() for scale, n in own.items()],
        schema={"family": pl.String, "scale": pl.String, "n": pl.Int64},
        orient="row",
    )
    slopes = metric_exponents(table(*rows), cascades)
    assert slopes["family"].to_list() == ["a", "b"]
    assert slopes["value"].to_list() == pytest.approx([-0.25, -0.25])
    assert slopes.filter(pl.col("family") == "a").equals(
        metric_exponent(table(*rows).filter(pl.col("family") == "a"), sizes["a"])
    )
    assert metric_exponents(table(), cascades).is_empty()


def test_attached_json_is_never_taken_for_a_table(tmp_path):
    (tmp_path / "m.json").write_text(json.dumps({"paloma": 3}))
    with pytest.raises(InputError, match=r"neither \.csv nor \.parquet"):
        read_metrics(tmp_path / "m.json", "own")


def test_a_single_file_of_the_harness_is_read(tmp_path):
    arguments = {"model_args": "pretrained=a/b,revision=step10"}
    path = written_today(tmp_path / "a__b", renamed(harness_results()), "2024-05-01T12-00-00.1", **arguments)
    assert read_metrics(path, "own").select("scale", "step", "metric").rows() == [("a/b", 10, "accuracy")]
    with pytest.raises(InputError, match="has no metric 'loss'; it has accuracy"):
        read_metrics(tmp_path, "own", only=["loss"])
