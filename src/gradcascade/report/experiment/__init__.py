"""The report of matched runs (``gradcascade experiment``): what it found, in words, figures and tables."""

from __future__ import annotations

from pathlib import Path

from gradcascade.report.experiment.result import ExperimentReport

__all__ = ["ExperimentReport", "write_experiment"]


def write_experiment(out: Path) -> ExperimentReport:
    """Answer what was asked of matched runs, and write the report.

    Parameters
    ----------
    out : pathlib.Path
        Folder of ``gradcascade experiment``, finished or not: ``study``, ``plan.toml``, ``tuning.json``.

    Returns
    -------
    ExperimentReport
        What was found. ``out/report`` holds the page ``index.html``, figures (SVG, PDF, PNG, CSV), tables (CSV) and
        all of it as ``results.json``.

    Raises
    ------
    InputError
        If there is no study, nothing real was measured yet, or the folder cannot be written.
    """
    from gradcascade.report.access import experiment_data
    from gradcascade.report.experiment.page import write_page

    return write_page(experiment_data(out), out / "report")
