"""``gradcascade design``: what a number of scales and runs will show, and the cheapest way to show a difference."""

import json
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from gradcascade.cli.options import Json
from gradcascade.errors import InputError
from gradcascade.vocabulary import SHOWN_EXPONENTS

if TYPE_CHECKING:
    from gradcascade.scaling.design import Design


def design(
    study: Annotated[
        Path | None, typer.Argument(help="Folder of a study whose sizes and scatter are taken; else give --scales.")
    ] = None,
    sizes: Annotated[
        str,
        typer.Option(
            "--scales", "--sizes", help="Entries N of a field at every scale, as in 589824,9437184,37748736."
        ),
    ] = "",
    runs: Annotated[str, typer.Option(help="Runs of every size: one number, or one for each.")] = "1",
    run_sd: Annotated[
        str, typer.Option(help="How much runs of one size differ: SD of log duration over the window, as in 0.05.")
    ] = "",
    scale_sd: Annotated[
        float, typer.Option(min=0, help="How far sizes lie off the power law: SD of the logarithm.")
    ] = 0.0,
    step_sd: Annotated[
        float, typer.Option(min=0, help="Scatter from step to step, where --run-sd is without it.")
    ] = 0.0,
    phi: Annotated[float, typer.Option(help="Correlation of neighbouring steps.")] = 0.0,
    steps: Annotated[int, typer.Option(min=1, help="Steps in the window.")] = 1,
    difference: Annotated[
        float | None, typer.Option(help="Difference of z to be shown; its cheapest design.")
    ] = None,
    costs: Annotated[str, typer.Option(help="Cost of one run of each size; in proportion to N by default.")] = "",
    power: Annotated[float, typer.Option(min=0.05, max=0.999, help="Chance of showing it.")] = 0.8,
    family: Annotated[str | None, typer.Option(help="Family of the study.")] = None,
    field: Annotated[str | None, typer.Option(help="Kind of field of the study.")] = None,
    exponent: Annotated[str, typer.Option(help="Exponent of the study.")] = "z",
    as_json: Json = False,
) -> None:
    """Say how wide the interval of an exponent will be, which difference it shows, and what more runs would give."""
    from gradcascade.scaling.design import Design, cheapest_design
    from gradcascade.scaling.measured_designs import further

    if (study is None) == (not sizes):
        raise InputError("give the folder of a study, or --scales with --run-sd, and not both")
    if study is not None:
        known, source = _measured(study, family, field, exponent)
    else:
        if not run_sd and not step_sd:
            raise InputError("--scales needs --run-sd, the SD of log duration between runs of one size (0.05 is 5 %)")
        spread = _numbers(run_sd or "0", "--run-sd")
        known, source = (
            Design.of(
                [int(n) for n in _numbers(sizes, "--scales")],
                _one_or_each([int(count) for count in _numbers(runs, "--runs")]),
                _one_or_each(spread),
                scale_sd=scale_sd, step_sd=step_sd, phi=phi, steps=steps,
            ),
            "as given",
        )  # fmt: skip
    rows = [_row(words, each, power) for words, each in further(known)]
    cost = _numbers(costs, "--costs") if costs else None
    best = cheapest_design(known, difference, cost, power) if difference else None
    if as_json:
        found = None if best is None else asdict(best) | {"power": best.power(difference or 0.0)}
        typer.echo(json.dumps({"design": asdict(known), "scatter": source, "designs": rows, "cheapest": found}))
        return
    listed = ", ".join(f"{n:,}" for n in known.sizes)
    typer.echo(f"sizes {listed}; the scatter is {source}")
    typer.echo(f"  {'':<26}{'95 % interval':<18}smallest difference shown with {power:.0%} chance")
    for row in rows:
        typer.echo(f"  {row['design']:<26}{'± ' + format(row['half_width'], '.4f'):<18}{row['smallest']:.4f}")
    if best is not None:
        each = ", ".join(f"{count} x {n:,}" for n, count in zip(best.sizes, best.runs, strict=True))
        typer.echo(
            f"cheapest for a difference of {difference:g}: {each} (chance {best.power(difference or 0.0):.0%})"
        )


def _row(words: str, each: "Design", power: float) -> dict[str, Any]:
    return {
        "design": words,
        "sizes": each.sizes,
        "runs": each.runs,
        "half_width": each.half_width(),
        "smallest": each.smallest(power),
    }


def _measured(folder: Path, family: str | None, field: str | None, exponent: str) -> "tuple[Design, str]":
    from gradcascade.scaling.measured_designs import measured_design
    from gradcascade.scaling.points import points_of
    from gradcascade.study.study import Study
    from gradcascade.study.windows import study_windows

    if exponent not in SHOWN_EXPONENTS:
        raise InputError(f"--exponent is one of {', '.join(SHOWN_EXPONENTS)}, got {exponent}")
    with Study.open(folder) as opened:
        cascades = opened.cascades()
        if cascades.is_empty():
            raise InputError(f"the study {folder} has no cascades yet; run `gradcascade measure` first")
        points = points_of(cascades, study_windows(opened.plan, cascades, None))
    known = [key for key in points.windows if key[0] == (family or key[0]) and key[1] == (field or key[1])]
    if len(known) != 1:
        listed = ", ".join(f"{name} ({kind})" for name, kind in sorted(points.windows))
        raise InputError(f"the study has {listed}; name one with --family and --field")
    return measured_design(points, *known[0], exponent)


def _numbers(text: str, option: str) -> list[float]:
    try:
        return [float(part) for part in text.split(",")]
    except ValueError:
        raise InputError(f"{option} takes numbers with commas between them, got {text}") from None


def _one_or_each(values: list[Any]) -> Any:
    return values[0] if len(values) == 1 else values
