"""The answer about the order of the tensors: how far the exponents move with it, and what they are without one."""

from typing import Any

from gradcascade.report.answers.base import Answer, answer, interval, label
from gradcascade.report.data import ReportData
from gradcascade.report.page_tables import signed
from gradcascade.scaling.order_sensitivity import order_spread
from gradcascade.vocabulary import SHOWN_EXPONENTS, SYMBOLS


def order_answer(data: ReportData) -> Answer | None:
    """Say how far each exponent moves over the orders that were measured, and its order-free value."""
    if data.orders is None or data.orders.is_empty():
        return None
    spread = order_spread(data.orders)
    groups = spread.partition_by("family", "field", maintain_order=True)
    said = [sentence for group in groups if (sentence := _sentence(data, group.to_dicts()))]
    none = ("The exponents could not be fitted in two orders that differ.",)
    return answer("orders", said or none, spread, data.orders)


def _sentence(data: ReportData, rows: list[dict[str, Any]]) -> str | None:
    parts = []
    for row in rows:
        if row["exponent"] not in SHOWN_EXPONENTS or row["sd"] is None:
            continue
        part = (
            f"{SYMBOLS[row['exponent']]} is {interval(row['lowest'], row['highest'])} (SD {row['sd']:.3f}, 95 % "
            f"{row['sd_low']:.3f} to {row['sd_high']:.3f})"
        )
        if row["free"] is not None:
            ends = "" if row["free_low"] is None else f", 95 % {interval(row['free_low'], row['free_high'])}"
            part += f", and of no order (N2{ends}) {signed(row['free'])}"
        parts.append(part)
    if not parts:
        return None
    return f"{label(data, rows[0])}: over {rows[0]['n_orders']} orders of the tensors {'; '.join(parts)}."
