from __future__ import annotations

import pytest

from gradcascade.report import whiskers
from gradcascade.report.data import ReportData

from .cascades import study_cascades


def test_dots_and_lines_lie_where_the_numbers_say(data: ReportData) -> None:
    panels = whiskers.panels(data)
    assert [panel.title[0] for panel in panels] == ["z", "δ"]
    known = {(row["field"], row["variant"]): row for row in data.answers["intervals"].filter(exponent="z").to_dicts()}
    z = panels[0]
    assert [row.label for row in z.rows] == ["Gradients", "N0, gradients", "Updates", "N0, updates"]
    first, last = known["gradient", "real"], known["update", "N0"]
    per = (z.rows[0].at - z.rows[3].at) / (first["scales_value"] - last["scales_value"])
    assert per > 0
    for row, key in zip(z.rows, known_order(), strict=True):
        truth = known[key]
        assert row.at == pytest.approx(z.zero + per * truth["scales_value"], abs=0.05)
        assert row.left == pytest.approx(z.zero + per * truth["scales_low"], abs=0.05)
        assert row.width == pytest.approx(per * (truth["scales_high"] - truth["scales_low"]), abs=0.05)
        assert not row.cut


def known_order() -> list[tuple[str, str]]:
    return [("gradient", "real"), ("gradient", "N0"), ("update", "real"), ("update", "N0")]


def test_published_values_stand_beside_those_of_their_family() -> None:
    entries = {"tiny": 589_824, "small": 9_437_184, "medium": 37_748_736, "large": 150_994_944}
    cascades = study_cascades("pico-lm", entries=entries, steps=range(5000, 15_000, 1000), fields=("gradient",))
    rows = whiskers.panels(ReportData.from_tables(cascades))[0].rows
    assert [row.kind for row in rows] == ["real", "published", "null"]
    assert rows[1].text == "+0.223"
    assert all(0 <= row.at <= 100 for row in rows)


def test_very_wide_intervals_are_cut_and_marked() -> None:
    data = ReportData.from_tables(study_cascades(entries={"a": 1000, "b": 1200, "c": 90_000}, noise=0.5, steps=(1,)))
    rows = [row for panel in whiskers.panels(data) for row in panel.rows]
    assert any(row.cut for row in rows)
    assert all(0 <= row.left <= 100 and row.left + row.width <= 100.01 for row in rows)


def test_without_intervals_there_is_nothing_to_draw() -> None:
    assert whiskers.panels(ReportData.from_tables(study_cascades(entries={"a": 1000}))) == []
    assert whiskers.panels(ReportData.from_tables(study_cascades(steps=(1,)).clear())) == []
