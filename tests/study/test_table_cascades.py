"""Cascades computed elsewhere: what a table says is what is fitted, and what it cannot mean is refused."""

import json
from hashlib import sha256

import polars as pl
import pytest

import gradcascade as gc
from gradcascade.csvfile import write_csv
from gradcascade.errors import InputError
from gradcascade.export.tables import study_tables
from gradcascade.export.write import as_json
from gradcascade.report.access import study_data
from gradcascade.report.page import write_report
from gradcascade.study.study import Study
from gradcascade.study.table_cascades import merge_tables

MAPPED = {"scale": "model", "n": "N", "size": "events", "duration": "n_steps"}


def theirs(variants=("real", "N0")):
    """A table as others write it: an index, other names, no thresholds and no profiles."""
    sizes = {"s": 1000, "m": 8000, "l": 64000, "xl": 512000}
    rows = [
        (name, step, n, int(n**0.9 / (2 + (variant != "real"))) + step, int(3 * n**0.15) + step // 20, variant)
        for name, n in sizes.items()
        for step in range(0, 60, 10)
        for variant in variants
    ]
    table = pl.DataFrame(rows, schema=["model", "step", "N", "events", "n_steps", "variant"], orient="row")
    return table.with_row_index("index")


def write(table, path):
    if path.suffix == ".csv":
        table.write_csv(path)
    elif path.suffix == ".parquet":
        table.write_parquet(path)
    else:
        path.write_text(json.dumps(table.to_dicts()))
    return path


@pytest.mark.usefixtures("no_figures")
@pytest.mark.parametrize("end", ["csv", "parquet", "json"])
def test_a_table_becomes_a_study_that_fits_as_the_table_does(tmp_path, end):
    file = write(theirs(), tmp_path / f"[other] 5%.{end}")
    merged = merge_tables([file], tmp_path / "study", MAPPED, family="nano", field="gradient")
    assert merged.cascades == 48 and not merged.missing
    assert any("index" in note for note in merged.notes) and any("assumed" in note for note in merged.notes)
    with Study.open(tmp_path / "study") as study:
        table = study.cascades()
        origin = study.provenance()["computed elsewhere"]
        data = study_data(study)
    assert table.height == 48 and table["tau"].is_null().all() and table["activity"].is_null().all()
    assert origin["tables"] == [
        {"table": file.name, "sha256": sha256(file.read_bytes()).hexdigest(), "rows": 48, "columns": MAPPED}
    ]
    assert set(table["revision"]) == {sha256(file.read_bytes()).hexdigest()}
    plain = theirs().rename({column: name for name, column in MAPPED.items()})
    expected = gc.fit_exponents(plain.with_columns(family=pl.lit("nano"), field=pl.lit("gradient")))
    assert data.fits.select("variant", "step", "exponent", "value").equals(
        expected.select("variant", "step", "exponent", "value")
    )
    assert data.answers["verdicts"].height
    if end == "csv":  # the tables are the same; one report shows it
        assert write_report(data, tmp_path / "report").is_file()
        assert "computed elsewhere" in (tmp_path / "report" / "index.html").read_text()


@pytest.mark.parametrize("end", ["csv", "parquet", "json"])
def test_what_was_exported_comes_back_the_same(tmp_path, end):
    merge_tables([write(theirs(), tmp_path / "a.csv")], tmp_path / "study", MAPPED, field="gradient")
    with Study.open(tmp_path / "study") as study:
        first = study.cascades()
        tables = study_tables(study_data(study))
    file = tmp_path / f"back.{end}"
    if end == "json":
        file.write_text(as_json(tables))
    elif end == "csv":
        write_csv(tables["cascades"], file)
    else:
        tables["cascades"].write_parquet(file)
    merge_tables([file], tmp_path / "again")
    with Study.open(tmp_path / "again") as study:
        assert study.cascades().drop("source", "revision").equals(first.drop("source", "revision"))


def test_activity_profiles_are_kept_and_have_to_fit(tmp_path):
    rows = {"scale": ["s"], "step": [1], "n": [100], "size": [13], "duration": [2], "field": ["gradient"]}
    for text in ("10 3", "[10, 3]"):
        file = write(pl.DataFrame({**rows, "activity": [text]}), tmp_path / "a.csv")
        merge_tables([file], tmp_path / text)
        with Study.open(tmp_path / text) as study:
            assert study.cascades()["activity"].to_list() == [[10, 3]]
    for text in ("10 4", "13", "13 0", "12 x"):
        file = write(pl.DataFrame({**rows, "activity": [text]}), tmp_path / "a.csv")
        with pytest.raises(InputError, match="activity"):
            merge_tables([file], tmp_path / "bad")
    assert not (tmp_path / "bad").exists()


BAD = {
    "n below 1": {"n": 0},
    "a negative size": {"size": -1},
    "a size above 0 with a duration of 0": {"duration": 0},
    "no cascade can have given": {"size": 1},
    "step is '3.5' in row 2 of the table, not a whole number": {"step": 3.5},
    "size is 'many' in row 2 of the table, not a number": {"size": "many"},
    "no finite value for n": {"n": None},
    "nearest is|there is no|N9": {"variant": "N9"},
    "another probe": {"probe_hash": "0123456789abcdef"},
    "fields of 100 and of 200 entries": {"n": 200, "replicate": 1},
    "ceiling is 'perhaps'": {"ceiling": "perhaps"},
}


@pytest.mark.parametrize("words", BAD)
def test_a_row_that_cannot_be_is_refused_and_nothing_is_left(tmp_path, words):
    good = {"scale": "s", "step": 1, "n": 100, "size": 13, "duration": 2, "variant": "real"}
    rows = [{**good, "step": 0}, {**good, **BAD[words]}]
    if "entries" in words:
        rows[0]["step"] = 1
    rows = [{"replicate": 0, "ceiling": None, "probe_hash": None, **row} for row in rows]
    file = tmp_path / "a.csv"
    names = list(rows[0])
    lines = [",".join("" if row[name] is None else str(row[name]) for name in names) for row in rows]
    file.write_text("\n".join([",".join(names), *lines]))
    with pytest.raises(InputError, match=words):
        merge_tables([file], tmp_path / "study", field="gradient")
    assert [path.name for path in tmp_path.iterdir()] == ["a.csv"]


def test_what_a_table_does_not_say_is_asked_for(tmp_path):
    file = write(theirs(), tmp_path / "a.csv")
    with pytest.raises(InputError, match="give --field gradient"):
        merge_tables([file], tmp_path / "study", MAPPED)
    with pytest.raises(InputError, match="lacks the columns scale, n, size, duration"):
        merge_tables([file], tmp_path / "study", field="gradient")
    with pytest.raises(InputError, match="there is no column 'sise'"):
        merge_tables([file], tmp_path / "study", {"sise": "events"}, field="gradient")
    with pytest.raises(InputError, match="lacks the column size_of"):
        merge_tables([file], tmp_path / "study", {"size": "size_of"}, field="gradient")
    (tmp_path / "b.json").write_text("{")
    with pytest.raises(InputError, match="cannot be read as a json table"):
        merge_tables([tmp_path / "b.json"], tmp_path / "study")


def test_real_fields_in_one_table_and_nulls_in_another_belong_together(tmp_path):
    real, null = (write(theirs((name,)), tmp_path / f"{name}.csv") for name in ("real", "N0"))
    merge_tables([real, null], tmp_path / "study", MAPPED, family="nano", field="gradient")
    with Study.open(tmp_path / "study") as study:
        assert study.cascades().height == 48
    with pytest.raises(InputError, match="share their place"):
        merge_tables([real, real], tmp_path / "twice", MAPPED, family="nano", field="gradient")


def test_what_a_table_lacks_is_told(tmp_path):
    table = theirs().filter(~((pl.col("model") == "m") & (pl.col("step") == 20)))
    table = table.filter(~((pl.col("model") == "l") & (pl.col("step") == 30) & (pl.col("variant") == "N0")))
    merged = merge_tables([write(table, tmp_path / "a.csv")], tmp_path / "study", MAPPED, "nano", "gradient")
    assert [gap.sentence for gap in merged.missing] == [
        "nano, m: gradients are missing at 1 step (20)",
        "nano, l: N0 of gradients are missing at 1 step (30)",
    ]
