from __future__ import annotations

from gradcascade.report.data import ReportData

from .asked import answers


def test_used_and_found_windows_stand_beside(data: ReportData) -> None:
    answer = answers(data)["windows"]
    found = data.answers["found_windows"].to_dicts()
    assert answer.table["window found"].to_list() == [f"{row['first']:,} to {row['last']:,}" for row in found]
    used = [data.windows[row["family"], row["field"]] for row in found]
    assert answer.table["window used"].to_list() == [f"{first:,} to {last:,}" for first, last in used]
