"""``gradcascade families``: what is known of the published families."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import asdict
from typing import TYPE_CHECKING, Annotated, Any

import typer

from gradcascade.cli.options import Json, wrapped
from gradcascade.errors import InputError

if TYPE_CHECKING:
    from gradcascade.families import Family, Fault, ScheduleFacts

_ENTRIES = 13


def families(
    name: Annotated[str | None, typer.Argument(help="One family, shown with all that is known of it.")] = None,
    check: Annotated[
        bool,
        typer.Option("--check", help="Ask the hub whether it has the repositories and steps that are said here."),
    ] = False,
    as_json: Json = False,
) -> None:
    """List the published families, or show one with its known faults, published values and citation."""
    from gradcascade import families as known

    if check:
        if name is None:
            raise InputError(
                "--check asks the hub about one family; name it, as in `gradcascade families pythia --check`"
            )
        _check(name, as_json)
        return

    if name is not None:
        found, run = known.family(name), known.presets()[name][1][0]
        typer.echo(json.dumps(_described(found)) if as_json else "\n".join(_shown(found, run, found.variant(name))))
        return
    every = list(known.families().values())
    if as_json:
        typer.echo(json.dumps({"families": [_described(family) for family in every]}))
        return
    rows = [("NAME", "SCALES", "RUNS", "FIELDS", "STEPS", "WINDOW", "VERIFIED"), *map(_row, every)]
    widths = [max(len(row[column]) for row in rows) for column in range(len(rows[0]))]
    for row in rows:
        typer.echo("  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip())


def _check(name: str, as_json: bool) -> None:
    from gradcascade import families as known
    from gradcascade.sources.hub_check import check_family
    from gradcascade.sources.trees.hub.client import HubClient

    found, runs = known.family(name), known.presets()[name][1]
    checked = []
    for one in check_family(HubClient(), found, name, runs):
        checked.append(one)
        if not as_json:
            run = "" if len(runs) == 1 else f", run {one.run}"
            said = [difference.sentence for difference in one.differences] or [
                f"{len(one.steps)} steps, as in the file"
            ]
            typer.echo("\n".join(wrapped("; ".join(said), f"{one.scale}{run}: ", 4)))
    differing = [one for one in checked if one.differences]
    if as_json:
        typer.echo(json.dumps({"family": found.name, "runs": [asdict(one) for one in checked]}))
    else:
        typer.echo(f"{len(checked)} runs asked about, {len(differing)} of them differ from the file")


def _row(family: Family) -> tuple[str, ...]:
    steps = "at hub" if family.steps_known is None else f"{family.steps_known:,}"
    fields = family.fields[0] + (f" +{len(family.fields) - 1}" if len(family.fields) > 1 else "")
    cells = (family.name, str(len(family.scales)), str(len(family.runs)), fields, steps)
    return (*cells, _window(family).replace(" to ", "-"), family.verified.state)


def _window(family: Family) -> str:
    return "none" if family.window is None else f"{family.window[0]:,} to {family.window[1]:,}"


def _described(family: Family) -> dict[str, Any]:
    content = family.model_dump(mode="json")
    content["repositories"] = {run: family.repositories(run) for run in family.runs}
    content["presets"] = family.presets
    content["n_steps"] = family.steps_known
    content["faults"] = [fault.model_dump(mode="json") | {"urls": list(fault.urls)} for fault in family.faults]
    return content


def _shown(family: Family, run: str, variant: str | None) -> Iterator[str]:
    yield f"{family.name}: {family.title}"
    yield f"  measured with  gradcascade measure {family.name}"
    if len(family.presets) > 1:
        yield from _wrapped("also known as", ", ".join(list(family.presets)[1:]))
    if len(family.presets[family.name]) > 1:
        yield from _wrapped("runs", ", ".join(family.presets[family.name]))
    yield from _wrapped("fields", f"{', '.join(family.fields)}; layout {family.layout}; {family.revision}")
    if family.tensors:
        yield from _wrapped("tensors", ", ".join(family.tensors))
    yield f"  {'steps':<13}  {_steps(family)}"
    yield f"  {'window':<13}  {_window(family)}"
    if family.schedule:
        yield from _wrapped("learning rate", _schedule(family.schedule))
    if family.metric:
        of = ", ".join(family.metric.scales or family.scales)
        yield from _wrapped("metric", f"{family.metric.name}; {family.metric.slope} over {of}")
    yield from _wrapped("verified", f"{family.verified.state}: {family.verified.evidence}")
    yield "scales"
    for scale, place in family.repositories(run, variant).items():
        entries = family.entries.get(scale)
        tokens = family.scales[scale].tokens
        each = f"  {tokens:,} tokens a step" if tokens else ""
        yield f"  {scale:<7}  N = {f'{entries:,}' if entries else 'unknown':<{_ENTRIES}}  {place}{each}"
    if family.published and family.published.values:
        of = f", run {next(iter(family.presets.values()))[0]}" if len(family.runs) > 1 else ""
        yield f"published ({family.published.source}{of})"
        for value in family.published.values:
            spread = "" if value.sd is None else f" ± {value.sd:g}"
            about = "about " if value.approximate else ""
            steps = "" if value.over == "window" else ", over all steps"
            yield f"  {f'{value.quantity}, {value.variant}':<30}  {about}{value.value:g}{spread}{steps}"
        for pair in family.published.associations:
            partial = "" if pair.partial is None else f", {pair.partial:g} given the learning rate"
            yield f"  {f'{pair.channel} with {pair.metric}':<30}  r = {pair.pearson:g}{partial}"
    if family.faults:
        yield "known faults"
        for fault in family.faults:
            yield from _fault(fault)
    yield "to cite"
    for citation in family.citations:
        where = f"arXiv:{citation.arxiv}" if citation.arxiv else ""
        what = ": ".join(filter(None, [_authors(citation.authors), citation.title]))
        yield from _indented(" ".join(filter(None, [f"{what} ({citation.year})", where])))


def _wrapped(name: str, text: str) -> list[str]:
    start = f"  {name:<13}  "
    return wrapped(text, start, len(start))


def _indented(text: str) -> list[str]:
    return wrapped(text, "  ", 4)


def _steps(family: Family) -> str:
    if family.steps is None:
        count = "" if family.n_steps is None else f"{family.n_steps:,}; "
        return f"{count}which they are is found at the hub"
    return f"{len(family.steps):,}, {family.steps[0]:,} to {family.steps[-1]:,}"


def _schedule(schedule: ScheduleFacts) -> str:
    after = {
        "linear": f"then linear to 0 at step {schedule.total:,}",
        "cosine": f"then a cosine to {schedule.final:g} of the peak at step {schedule.total:,}",
        "constant": "then constant",
    }
    return f"{schedule.warmup:,} steps of warm-up to {schedule.peak:g}, {after[schedule.kind]}"


def _fault(fault: Fault) -> Iterator[str]:
    spoils = "" if fault.spoils == "nothing" else f" (spoils the {fault.spoils})"
    yield from _indented(f"{', '.join(fault.repositories)}{_of_steps(fault.steps)}{spoils}")
    yield from wrapped(fault.sentence, "    ", 4)
    yield from (f"    {url}" for url in fault.urls)


def _of_steps(steps: tuple[int, ...]) -> str:
    if not steps:
        return ""
    if len(steps) <= 3:
        return f", step{'s' if len(steps) > 1 else ''} {', '.join(f'{step:,}' for step in steps)}"
    return f", {len(steps)} steps from {steps[0]:,} to {steps[-1]:,}"


def _authors(names: tuple[str, ...]) -> str:
    family_names = [name.partition(",")[0].strip("{}") for name in names]
    return " and ".join(family_names) if len(names) <= 2 else f"{family_names[0]} et al."
