import json

import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from gradcascade.errors import InputError
from gradcascade.performance.attached import fit_to_scales, read_metrics
from gradcascade.performance.metrics import METRIC_SCHEMA, metric_exponent, metric_exponents

from .test_readers import harness_results, write

NAMES = st.sampled_from(["70m", "70m-seed3", "pythia-70m", "160m", "tiny", "pico-decoder-tiny", "large"])


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
    with pytest.raises(InputError, match=r"holds neither files named like 70m_step143000\.json nor eval_results"):
        read_metrics(tmp_path, "own")
    with pytest.raises(InputError, match="names no family; say which family it belongs to"):
        read_metrics(tmp_path)
    with pytest.raises(InputError, match=r"neither \.csv nor \.parquet"):
        read_metrics(tmp_path / "notes.txt", "own")
    with pytest.raises(InputError, match="does not exist"):
        read_metrics(tmp_path / "absent.csv", "own")


def test_runs_take_the_values_of_their_model_and_the_rest_is_named():
    metrics = table(
        ("pythia", "70m", 10, "accuracy", 0.5),
        ("pythia", "70m-deduped", 10, "accuracy", 0.75),
        ("pythia", "1b", 10, "accuracy", 0.9),
        ("other", "1b", 10, "accuracy", 0.9),
    )
    found, others = fit_to_scales(metrics, {"pythia": ["70m-seed3", "70m-deduped", "410m"]})
    assert found.select("scale", "value").rows() == [("70m-deduped", 0.75), ("70m-seed3", 0.5)]
    assert others == ["1b", "other 1b"]
    whole = table(("own", "pico-decoder-tiny", 1, "paloma", 9.0))
    assert fit_to_scales(whole, {"own": ["tiny"]})[0]["scale"].to_list() == ["tiny"]


@given(st.lists(NAMES, unique=True), st.lists(NAMES, unique=True))
def test_a_name_of_its_own_always_wins_and_nothing_is_made_up(given_names, scales):
    metrics = table(*(("own", name, 1, "loss", float(place)) for place, name in enumerate(given_names)))
    found, others = fit_to_scales(metrics, {"own": scales})
    values = dict(found.select("scale", "value").iter_rows())
    assert set(values) <= set(scales)
    for scale, value in values.items():
        name = given_names[int(value)]
        assert name == scale if scale in given_names else name in scale or scale in name
    assert set(others) | {given_names[int(value)] for value in values.values()} == set(given_names)


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
