from __future__ import annotations

import re

import pytest

from gradcascade.report.answers import lead
from gradcascade.report.data import ReportData

from ..cascades import study_cascades


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({}, "Gradients: cascades last longer in larger models, by more than noise explains"),
        ({"variants": ("real",)}, "the scales leave open whether"),
        ({"entries": {"only": 1000}}, "cannot be said"),
    ],
)
def test_the_first_paragraph_follows_the_verdicts(change: dict, words: str) -> None:
    text = lead(ReportData.from_tables(study_cascades(**change)))
    assert words in text
    assert not re.search(r"None|nan|null\b", text)
