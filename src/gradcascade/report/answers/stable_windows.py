"""The answer about the stable window: which was used, and which v_rel itself suggests."""

import polars as pl

from gradcascade.report.answers.base import Answer, answer, label
from gradcascade.report.data import ReportData


def window_answer(data: ReportData) -> Answer:
    """Give the windows that were used and those that v_rel itself suggests."""
    full = data.answers["found_windows"]
    empty = {(window.family, window.field): window for window in data.empty_windows}
    sentences, rows = [], []
    for row in full.to_dicts():
        first, last = data.windows[row["family"], row["field"]]
        found = f"steps {row['first']:,} to {row['last']:,}"
        if row["reason"]:
            said = f"no plateau could be looked for ({row['reason']})"
        else:
            names = {"startup": "a start-up before", "drift": "a drift behind"}
            seen = " and ".join(words for name, words in names.items() if row[name])
            seen = f"{seen} it" if seen else "neither start-up nor drift"
            said = f"the plateau of v_rel found is {found}, with {seen}"
            unclear = [words.split()[1] for name, words in names.items() if row[name] is None]
            if unclear:
                said += f"; a {' and a '.join(unclear)} cannot be told from the correlation of the steps"
        missing = empty.get((row["family"], row["field"]))
        if missing:
            sentences.append(f"{missing.sentence}. Nothing is averaged over it.")
        sentences.append(f"{label(data, row)}: the window used is steps {first:,} to {last:,}; {said}.")
        rows.append(
            {
                "family": row["family"],
                "field": row["field"],
                "window used": f"{first:,} to {last:,}",
                "window found": f"{row['first']:,} to {row['last']:,}",
                "start-up": _said(row["startup"], row["reason"]),
                "drift": _said(row["drift"], row["reason"]),
                "first step found": _range(row["first_low"], row["first_high"]),
                "last step found": _range(row["last_low"], row["last_high"]),
                "steps looked at": row["n_steps"],
            }
        )
    return answer("windows", sentences, pl.DataFrame(rows), full)


def _range(low: int | None, high: int | None) -> str | None:
    if low is None or high is None:
        return None
    return f"{low:,}" if low == high else f"{low:,} to {high:,}"


def _said(found: bool | None, reason: str | None) -> str:
    if found is None:
        return "no" if reason else "cannot be told"
    return "yes" if found else "no"
