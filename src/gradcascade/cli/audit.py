"""``gradcascade audit``: look for corrupted snapshots before anything is measured."""

from __future__ import annotations

import functools
import json
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from gradcascade.cli.options import NO_FAMILY, NO_SOURCE, Json, Links, counted, wrapped
from gradcascade.cli.progress import ProgressDisplay
from gradcascade.errors import InputError

if TYPE_CHECKING:
    import polars as pl

    from gradcascade.sources.audit import Audit, Finding
    from gradcascade.study.contents import FieldContents
    from gradcascade.study.plan import FamilyPlan


def audit(
    source: Annotated[str, typer.Argument(help="A folder of runs, a published family, or a plan.toml.")],
    family: Annotated[str | None, typer.Option(help="Name of the family (default: found from the folder).")] = None,
    contents: Annotated[
        bool, typer.Option("--contents/--no-contents", help="Read the tensors, or only names, sizes and hashes.")
    ] = True,
    out: Annotated[
        Path | None,
        typer.Option(help="Quarantine list to write; measure applies STUDY/quarantine.toml by default."),
    ] = None,
    study: Annotated[
        Path | None,
        typer.Option(help="A study of the same families, whose channels and metrics tell of unhealthy runs too."),
    ] = None,
    links: Links = False,
    as_json: Json = False,
) -> None:
    """Find missing, duplicated, mislabelled and broken snapshots, list those to quarantine, and name sick runs."""
    from gradcascade.sources.audit.quarantine_list import Quarantine, write_quarantine

    with ProgressDisplay() as display:
        audits = _audits(source, family, contents, display.update, links)
    health = _health(audits, study)
    quarantine = Quarantine()
    for done in audits:
        quarantine = quarantine.merged(done.quarantine)
    if out is not None:
        write_quarantine(quarantine, out)
    if as_json:
        described = [
            _described(done) | {"health": found.to_dicts()} for done, found in zip(audits, health, strict=True)
        ]
        typer.echo(json.dumps({"families": described, "out": str(out) if out else None}))
        return
    for done, found in zip(audits, health, strict=True):
        _print(done)
        _print_health(found)
    if quarantine.entries:
        where = f"written to {out}" if out else "write them to a list with --out FILE, and give it to measure"
        typer.echo(f"{len(quarantine.entries)} snapshots to quarantine; {where}")
    elif out is not None:
        typer.echo(f"nothing to quarantine; an empty list is in {out}")


def _audits(
    source: str, family: str | None, contents: bool, progress: Callable[[str, int, int, str], None], links: bool
) -> list[Audit]:
    from gradcascade import families
    from gradcascade.sources.audit import audit_family
    from gradcascade.study.plan import read_plan, study_path
    from gradcascade.study.presets import presets

    if source.endswith(".toml"):
        if family is not None:
            raise InputError(f"--family is given beside {source}, which names its families; leave it out")
        plan = read_plan(Path(source))
        if not plan.families:
            raise InputError(NO_FAMILY.format(source))
        return [
            _of_hub(entry, progress)
            if entry.hub
            else audit_family(
                study_path(Path(source).parent, entry.path or "."),
                entry.name,
                contents=contents,
                label=entry.label,
                gradients=entry.gradients,
                progress=progress,
                scales=entry.scales,
                runs=entry.runs,
                select=entry.tensors,
                fields=entry.fields,
                order=entry.order,
                links=links or entry.links,
            )
            for entry in plan.families
        ]
    if preset := presets().get(source):
        return [_of_hub(preset.model_copy(update={"name": family or preset.name}), progress)]
    if not Path(source).is_dir():
        raise InputError(NO_SOURCE.format(source, ", ".join(families.families())))
    return [audit_family(Path(source), family, contents=contents, progress=progress, links=links)]


def _of_hub(entry: FamilyPlan, progress: Callable[[str, int, int, str], None]) -> Audit:
    """The listing of a family on the hub, audited; its tensors stay there."""
    from gradcascade.sources.audit import audit_listing
    from gradcascade.sources.audit.listing import list_hub
    from gradcascade.study.remote import open_hub

    source = open_hub(Path(), entry, lambda name, arrived, size: progress("waiting", 0, 1, name))
    chosen = entry.hub is not None and entry.hub.steps is not None
    listing = list_hub(source, chosen, functools.partial(progress, "listing"))
    return audit_listing(listing, label=entry.label, gradients=entry.gradients)


def _health(audits: Sequence[Audit], study: Path | None) -> list[pl.DataFrame]:
    """Findings about the runs of every family, by the evaluations beside them and what a study has measured."""
    from gradcascade.study.audited import audited_health

    return audited_health([(done.listing.family, done.metrics) for done in audits], study)


def _print_health(found: pl.DataFrame) -> None:
    """Print runs that part from the others or from their own past; nothing where none does."""
    from gradcascade.report.answers.health import first_findings, sentence

    for row in first_findings(found).to_dicts():
        run = row["scale"] + (f" run {row['run']}" if row["run"] != "0" else "")
        typer.echo(f"  warning  {run}  from step {row['first_step']:,}  {row['code']}")
        typer.echo("\n".join(wrapped(sentence(row), " " * 6, 6)))
    if found.height:
        typer.echo("  fit and report leave unhealthy runs out with --healthy")


def _described(done: Audit) -> dict[str, Any]:
    listing = done.listing
    return {
        "family": listing.family,
        "source": listing.origin,
        "contents": done.contents,
        "runs": [
            {
                **run.name._asdict(),
                "steps": [entry.step for entry in run.steps],
                "files": sum(len(entry.files) for entry in run.steps),
                "bytes": sum(file.size for entry in run.steps for file in entry.files),
            }
            for run in listing.runs
        ],
        "fields": _rows(done),
        "copies": [path for paths in done.copies.values() for path in paths],
        "checks": [outcome.as_dict() for outcome in done.outcomes],
        "findings": [finding.as_dict() for finding in done.findings],
        "quarantine": [entry.as_dict() for entry in done.entries],
    }


def _print(done: Audit) -> None:
    listing = done.listing
    scales = {run.name.scale for run in listing.runs}
    runs = "" if len(scales) == len(listing.runs) else f"{counted(len(listing.runs), 'run')}, "
    files = [file for run in listing.runs for entry in run.steps for file in entry.files]
    typer.echo(
        f"{listing.family}: {counted(len(scales), 'scale')}, {runs}"
        f"{counted(sum(len(run.steps) for run in listing.runs), 'step')}, {counted(len(files), 'file')}, "
        f"{sum(file.size for file in files) / 1e6:,.1f} MB in {listing.origin}"
    )
    if not done.contents:
        typer.echo("  names, sizes and hashes were compared; no tensor was read")
    for line in _contents(done):
        typer.echo("\n".join(wrapped(line, "  ", 6)))
    typer.echo("\n".join(wrapped(_ended(done), "  ", 6)))
    _print_findings(done.findings)


def _contents(done: Audit) -> Iterator[str]:
    """What the fields are made of, and what was passed over."""
    from gradcascade.study.contents import lines

    yield from (line.removeprefix(f"{done.listing.family} / ") for line in lines(_rows(done)))
    if done.copies:
        paths = [path for paths in done.copies.values() for path in paths]
        yield f"passed over, as each holds a step again: {', '.join(paths)}"


def _rows(done: Audit) -> list[FieldContents]:
    from gradcascade.study.contents import rows_of

    family = done.listing.family
    return rows_of(done.described, {(family, at.scale, at.run): list(paths) for at, paths in done.copies.items()})


def _ended(done: Audit) -> str:
    """How the checks ended over all runs: failed where one did, passed where one applied."""
    from gradcascade.sources.audit.outcomes import FAILED, PASSED

    ended: dict[str, list[str]] = {}
    for outcome in done.outcomes:
        ended.setdefault(outcome.code, []).append(outcome.outcome)
    unread = {outcome.code for outcome in done.outcomes if outcome.why == "tensors not read"}
    failed = [code for code, found in ended.items() if FAILED in found]
    passed = [code for code, found in ended.items() if PASSED in found and code not in failed]
    few = [code for code in ended if code not in {*failed, *passed, *unread}]
    parts = [f"{len(passed)} passed", f"{len(failed)} failed"]
    parts += [f"{len(few)} not applicable ({', '.join(few)})"] if few else []
    parts += [f"{len(unread)} need the tensors"] if unread else []
    return f"{counted(len(ended), 'check')}: {', '.join(parts)}"


def _print_findings(findings: Sequence[Finding]) -> None:
    from gradcascade.sources.audit.findings import SEVERITIES, at_steps

    if not findings:
        typer.echo("  nothing found")
        return
    rows = [
        (f.severity, f.scale + (f" run {f.run}" if f.run != "0" else ""), at_steps(f.steps), f.code) for f in findings
    ]
    widths = [max(len(row[column]) for row in rows) for column in range(3)]
    for finding, row in zip(findings, rows, strict=True):
        cells = "  ".join(cell.ljust(width) for cell, width in zip(row[:3], widths, strict=True))
        typer.echo(f"  {cells}  {row[3]}")
        typer.echo("\n".join(wrapped(finding.sentence, " " * 6, 6)))
    counts = [(sum(f.severity == severity for f in findings), severity) for severity in SEVERITIES]
    typer.echo("  " + ", ".join(counted(count, severity) for count, severity in counts if count))
