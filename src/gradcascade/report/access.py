"""From a study to its figures in one call."""

from __future__ import annotations

import json
import tomllib
from pathlib import Path
from typing import TYPE_CHECKING

from gradcascade.errors import InputError

if TYPE_CHECKING:
    import polars as pl

    from gradcascade.report.data import ReportData
    from gradcascade.report.drawing.figure import ReportFigure
    from gradcascade.report.experiment.data import Experiment
    from gradcascade.scaling.windows import Window
    from gradcascade.study.study import Study


def figures(
    study: Study | str | Path | pl.DataFrame, window: Window = None, metrics: pl.DataFrame | None = None
) -> dict[str, ReportFigure]:
    """Make every figure of a study; nothing is drawn before :meth:`plot` is called.

    Every figure has ``plot(width)``, which returns a Matplotlib figure as wide as one or two columns of a journal and
    shows nothing; ``frame()``, the numbers that are drawn; ``caption()``, what it shows in words; ``missing()``, why
    there is nothing to draw, or None; and ``save(folder, width)``, which writes SVG, PDF, PNG and CSV.

    Parameters
    ----------
    study : Study or str or pathlib.Path or polars.DataFrame
        An open study, its folder, or a table of cascades.
    window : tuple, mapping or None
        As in :func:`gradcascade.scaling.windows.windows`; by default that of the study's plan.
    metrics : polars.DataFrame, optional
        External performance, ``family, scale, step, metric, value``; by default that of the study.

    Returns
    -------
    dict of str to ReportFigure
        By name, in the order of the report, such as "transport", "exponents", "nulls", "performance".

    Raises
    ------
    InputError
        If there is no study, it has no cascades yet, or the window is not two ordered steps of it.

    Examples
    --------
    Two scales are too few for exponents; their transport can be drawn all the same.

    >>> import gradcascade as gc, polars as pl
    >>> rows = [("toy", "gradient", "real", name, n, step, n // 8, 5)
    ...         for name, n in (("small", 1000), ("large", 8000)) for step in (1, 2, 3)]
    >>> columns = ["family", "field", "variant", "scale", "n", "step", "size", "duration"]
    >>> drawn = gc.figures(pl.DataFrame(rows, schema=columns, orient="row"))
    >>> drawn["transport"].plot(width="one").get_size_inches().round(2).tolist()[0]
    3.35
    >>> drawn["transport"].frame().select("scale", "step", "v_rel").row(0)
    ('large', 1, 0.025)
    >>> drawn["exponents"].missing()
    'No exponent could be fitted: a fit needs at least 3 scales and this study has 2.'

    Of a study on disk: ``gc.figures("my-study")["transport"].plot().savefig("transport.pdf")``, or, with fonts
    embedded and the numbers beside it, ``gc.figures("my-study")["transport"].save(Path("."))``.
    """
    import polars as pl

    from gradcascade.report.data import ReportData
    from gradcascade.report.figures import all_figures
    from gradcascade.study.study import Study

    if isinstance(study, pl.DataFrame):
        data = ReportData.from_tables(study, metrics, window=window)
    elif isinstance(study, Study):
        data = study_data(study, window, metrics)
    else:
        with Study.open(study) as opened:
            data = study_data(opened, window, metrics)
    return {figure.name: figure for figure in all_figures(data)}


def study_data(
    study: Study,
    window: Window = None,
    metrics: pl.DataFrame | None = None,
    *,
    healthy: bool = False,
    span: int | None = None,
) -> ReportData:
    """Gather everything the report is made from, of an open study."""
    from gradcascade.report.data import ReportData
    from gradcascade.scaling.health import healthy as healthy_cascades
    from gradcascade.scaling.health import run_health
    from gradcascade.scaling.spans import of_span
    from gradcascade.study.contents import contents_table
    from gradcascade.study.plan import plan_toml
    from gradcascade.study.sensitivity import stored_robustness
    from gradcascade.study.tokens import tokens_table
    from gradcascade.study.windows import study_windows

    cascades = study.cascades()
    if cascades.is_empty():
        raise InputError(f"the study {study.folder} has no cascades yet; run `gradcascade measure` first")
    if span is not None:
        cascades = of_span(cascades, span)
    metrics = study.metrics() if metrics is None else metrics
    windows = study_windows(study.plan, cascades, window)
    if healthy:
        cascades = healthy_cascades(cascades, run_health(cascades, metrics))
    known = stored_robustness(study)
    return ReportData.from_tables(
        cascades,
        metrics,
        probe=study.plan.probe.model_dump(),
        provenance=study.provenance(),
        plan_toml=plan_toml(study.plan),
        window=windows,
        refusals=study.refusals(),
        schedules=study.schedules(),
        robustness=None if known.table.is_empty() else known.table,
        orders=None if known.orders.is_empty() else known.orders,
        order_scatter=None if known.orders.is_empty() else known.order_scatter,
        contents=contents_table(study.folder),
        tokens=tokens_table(study.plan, cascades, metrics),
    )


def experiment_data(out: Path) -> Experiment:
    """Gather what the report of matched runs is made from, finished or not."""
    from gradcascade.report.experiment.data import Experiment
    from gradcascade.study.study import Study

    with Study.open(out / "study", read_only=True) as study:
        cascades = study.cascades()
    text = _text(out / "plan.toml")
    try:
        plan = tomllib.loads(text)
        tuning, record = (json.loads(_text(out / name) or "{}") for name in ("tuning.json", "experiment.json"))
    except ValueError as error:
        raise InputError(
            f"a file of the experiment {out} cannot be read ({error}); run the same command again"
        ) from None
    if cascades.is_empty():
        raise InputError(f"the experiment {out} has no cascades yet; run `gradcascade experiment` until it has")
    return Experiment.of(cascades, plan, plan_toml=text, tuning=tuning, record=record)


def _text(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8")
    except FileNotFoundError:
        return ""
