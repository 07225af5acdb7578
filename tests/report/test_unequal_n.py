"""Gradients and updates of different N with the same planted z: nowhere is a difference claimed."""

from __future__ import annotations

import json
import re
from pathlib import Path

import numpy as np
import polars as pl
import pytest

from gradcascade.report import figure_views
from gradcascade.report.answers import all_answers, lead
from gradcascade.report.data import ReportData
from gradcascade.report.figures.gradient_against_update import GradientAgainstUpdate
from gradcascade.report.page import write_report

from .cascades import ENTRIES, cascade, table

Z = 0.15
SHARES = {"d24": 0.35, "d48": 0.5, "d96": 0.7, "d192": 0.9}
"""What a chosen subset of tensors is of all entries: less of a small model, whose embedding is most of it."""


@pytest.fixture(scope="module")
def planted() -> ReportData:
    """Durations are 300 (N / N of the smallest) ** z for both fields; the gradient covers fewer entries."""
    rng = np.random.default_rng(3)
    rows = []
    for field in ("gradient", "update"):
        for step in range(20, 201, 20):
            for scale, whole in ENTRIES.items():
                n = round(whole * (SHARES[scale] if field == "gradient" else 1))
                duration = 300 * (n / ENTRIES["d24"]) ** Z * np.exp(0.01 * rng.standard_normal())
                rows.append(cascade("nano", scale, step, field, "real", n, round(duration)))
    return ReportData.from_tables(table(rows).with_columns(activity=pl.lit([], pl.List(pl.Int64))))


def test_text_figure_and_data_claim_nothing(planted: ReportData) -> None:
    contrasts = planted.answers["contrasts"].filter(pl.col("exponent").is_in(["z", "delta"]))
    assert set(contrasts["method"]) == {"independent"} and set(contrasts["code"]) == {"unequal-n"}
    assert contrasts.filter(pl.col("exponent") == "z")["first_value"].item() == pytest.approx(Z, abs=0.01)
    assert "no difference in z is shown" in lead(planted)
    (answer,) = (answer for answer in all_answers(planted) if answer.name == "contrast")
    assert "no difference is shown" in answer.sentences[0]
    assert "entries in the gradient" in answer.sentences[0]
    claims = GradientAgainstUpdate(planted).frame().filter(pl.col("quantity").is_in(["z", "delta"]))["claim"]
    assert claims.drop_nulls().to_list() == ["open", "open"]


def test_the_page_claims_nothing(planted: ReportData, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(figure_views, "all_figures", lambda data: [GradientAgainstUpdate(data)])
    html = write_report(planted, tmp_path).read_text(encoding="utf-8")
    text = re.sub(r"<(script|style|svg)\b.*?</\1>|<[^>]+>", " ", html, flags=re.S)
    assert "a clear difference" not in text and "a difference in" not in text and "is shown" in text
    (data,) = re.findall(r'<script type="application/json" id="study-data">(.*?)</script>', html, flags=re.S)
    shown = {row["exponent"]: row["claim"] for row in json.loads(data)["contrasts"]}
    assert shown["z"] == shown["delta"] == "open"
    n = {group["field"]: group["n"] for group in json.loads(data)["groups"]}
    assert n["update"] == list(ENTRIES.values()) and n["gradient"] != n["update"]


def test_a_planted_difference_is_still_found(data: ReportData) -> None:
    assert "durations grow faster with scale for gradients: a clear difference" in lead(data)
