"""What the tests of the answers look up."""

from __future__ import annotations

from gradcascade.report.answers import Answer, all_answers
from gradcascade.report.data import ReportData


def answers(data: ReportData) -> dict[str, Answer]:
    return {answer.name: answer for answer in all_answers(data)}


def named(data: ReportData) -> dict[str, list[str]]:
    return {name: list(answer.sentences) for name, answer in answers(data).items()}


def number(text: str) -> float:
    return float(text.replace("−", "-"))
