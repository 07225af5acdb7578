from __future__ import annotations

import re
from collections.abc import Callable

import polars as pl

from gradcascade import infer
from gradcascade.tables.reasons import SENTENCES

NAMED = re.compile(r"\{\w+\}")


def test_no_answer_has_a_reason_without_a_code_of_that_sentence(cascades: Callable[..., pl.DataFrame]) -> None:
    full = cascades(steps=range(4), variants=("real", "N0"))
    for table in (full, full.filter(pl.col("scale") != "d24"), full.with_columns(duration=pl.lit(9)), full.head(1)):
        for name, answer in infer(table).items():
            for column in [column for column in answer.columns if column.endswith("reason")]:
                code = column.removesuffix("reason") + "code"
                assert answer.filter(pl.col(column).is_not_null() & pl.col(code).is_null()).is_empty(), (name, column)
                for said, words in answer.select(code, column).drop_nulls().unique().iter_rows():
                    parts = [re.escape(part) for part in NAMED.split(SENTENCES[said])]
                    assert re.search(".+".join(parts), words) or name == "contrasts", (name, said, words)
