from __future__ import annotations

import dataclasses

import polars as pl

from gradcascade.report.answers import KNOWN, all_answers
from gradcascade.report.data import ReportData


def test_every_table_of_infer_is_answered(data: ReportData) -> None:
    assert set(data.answers) == KNOWN - {"healthy_intervals"}  # only where a run is sick
    answers = all_answers(data)
    assert len({answer.name for answer in answers}) == len(answers)
    for answer in answers:
        assert answer.sentences, answer.name
        assert answer.how, answer.name
        assert all(sentence.endswith(".") for sentence in answer.sentences)


def test_a_table_without_words_is_shown_as_it_is(data: ReportData) -> None:
    more = dataclasses.replace(data)
    table = pl.DataFrame({"graph": ["ring"], "z": [0.1]})
    more.__dict__["answers"] = data.answers | {"other_graphs": table}
    last = all_answers(more)[-1]
    assert (last.name, last.title) == ("other-graphs", "Other graphs")
    assert last.table.equals(table)
