from __future__ import annotations

import re
from pathlib import Path

import polars as pl
import pytest

import gradcascade
from gradcascade.tables.inferred import INFERRED
from gradcascade.tables.reasons import SENTENCES, Reason, because, columns, kept, reason_of, told

FOLDER = Path(gradcascade.__file__).parent


def test_a_row_and_an_expression_make_the_same_of_a_reason() -> None:
    reason = Reason.of("few-to-bend", n_scales=3, least=4)
    assert told(reason) == {"code": "few-to-bend", "reason": "only 3 scales: a curvature needs 4"}
    table = pl.DataFrame({"n_scales": [3, 9]})
    found = table.with_columns(*columns(pl.when(pl.col("n_scales") < 4).then(because("few-to-bend", least=4)), "x_"))
    assert found.to_dicts() == [{"n_scales": 3} | told(reason, "x_"), {"n_scales": 9} | told(None, "x_")]
    assert [reason_of(row, "x_") for row in found.to_dicts()] == [reason, None]
    either = found.with_columns(*columns(pl.coalesce(kept("x_"), because("no-noise"))))
    assert either["code"].to_list() == ["few-to-bend", "no-noise"]


def test_a_value_may_hold_braces() -> None:
    table = pl.DataFrame({"scale": ["{}"]}).with_columns(*columns(because("one-draw-of-scale")))
    assert table["reason"].to_list() == [Reason.of("one-draw-of-scale", scale="{}").reason]


def test_every_code_is_given_somewhere_and_every_code_given_is_known() -> None:
    source = "\n".join(path.read_text(encoding="utf-8") for path in FOLDER.rglob("*.py"))
    assert not [code for code in SENTENCES if f'"{code}"' not in source]
    assert set(re.findall(r'(?:because|Reason\.of)\(\s*"([^"]+)"', source)) <= set(SENTENCES)


@pytest.mark.parametrize("name", INFERRED)
def test_a_column_of_reasons_has_its_codes_before_it(name: str) -> None:
    names = [column.name for column in INFERRED[name].columns]
    for place, column in enumerate(names):
        if column.endswith("reason"):
            assert column.removesuffix("reason") + "code" in names[:place]
