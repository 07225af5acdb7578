"""A study: a folder with the plan, the measurements and the report of one or several families."""

from __future__ import annotations

import json
import os
import platform
from collections.abc import Collection, Mapping
from importlib.metadata import version
from pathlib import Path
from typing import TYPE_CHECKING, Any

import polars as pl

from gradcascade.errors import InputError
from gradcascade.files import SCRATCH, write_whole
from gradcascade.sources.audit.quarantine_list import FILE as QUARANTINE
from gradcascade.study.plan import FORMAT, FamilyPlan, Plan, plan_toml, read_plan, without_draw, written_format
from gradcascade.study.store import KEY, SNAPSHOT, Store
from gradcascade.study.variants import needs_layout, unseeded, variants_of
from gradcascade.study.windows import published_window
from gradcascade.vocabulary import DRAW

if TYPE_CHECKING:
    from gradcascade.performance.schedules import Schedule


class Study:
    """An open study folder.

    Attributes
    ----------
    folder : pathlib.Path
        The folder.
    plan : Plan
        What was asked.
    store : Store
        The measurements.
    """

    def __init__(self, folder: Path, plan: Plan, store: Store) -> None:
        self.folder = folder
        self.plan = plan
        self.store = store

    @classmethod
    def open(cls, folder: str | Path, *, read_only: bool = False) -> Study:
        """Open a study that exists.

        Parameters
        ----------
        folder : str or pathlib.Path
            Its folder.
        read_only : bool
            See one moment of it, whoever writes it meanwhile, and refuse to write.

        Raises
        ------
        InputError
            If it is not a study, or was written by another version.
        """
        folder = Path(folder)
        if not (folder / "plan.toml").is_file():
            raise InputError(f"{folder} is not a study (it has no plan.toml); make one with `gradcascade measure`")
        _check_format(folder)
        plan = read_plan(folder / "plan.toml")
        return cls(folder, plan, Store(folder / "cascades.sqlite", lambda: _write(folder, plan), read_only=read_only))

    @classmethod
    def create(cls, folder: str | Path, plan: Plan, *, journal: str = "auto") -> Study:
        """Make a study, or open the one that is there and add what the plan has beyond it.

        Parameters
        ----------
        folder : str or pathlib.Path
            Its folder; made if it does not exist.
        plan : Plan
            What to measure. New families are added to those that are there.
        journal : str
            ``"wal"``, ``"rollback"`` (one writer at a time, for network file systems), or ``"auto"``, which chooses
            by the file system.

        Raises
        ------
        InputError
            If the folder holds something else, or a study with other settings.
        """
        folder = Path(folder)
        path = folder / "plan.toml"
        if path.is_file():
            _check_format(folder)
            plan = _merged(read_plan(path), plan, folder)
        elif folder.exists() and (not folder.is_dir() or any(map(_foreign, folder.iterdir()))):
            raise InputError(f"{folder} holds something other than a study; give --out a new or empty folder")
        _write(folder, plan)
        return cls(folder, plan, Store(folder / "cascades.sqlite", journal=journal))

    def cascades(self, *, everything: bool = False) -> pl.DataFrame:
        """Table of the cascades.

        Parameters
        ----------
        everything : bool
            Also those of earlier contents, settings and seeds. By default only what the plan asks for, of the
            contents that each snapshot had when it was seen last.

        Returns
        -------
        polars.DataFrame
            One row per cascade; the columns are those of :data:`gradcascade.study.store.COLUMNS`.
        """
        table = self.store.cascades()
        if not everything:
            table = self._asked_for(table)
        return table.sort(["family", "field", "variant", "step", "n", "scale", "run", "span", "replicate"])

    def current(self) -> pl.DataFrame:
        """Contents that each snapshot had when it was seen last, of those that the plan asks for.

        Returns
        -------
        polars.DataFrame
            ``family, scale, run, step, field, span, content_hash, layout_hash``.
        """
        families = {family.name: family for family in self.plan.families}
        current = self.store.current()
        wanted = [
            name in families
            and without_draw(conventions) == families[name].conventions(scale, run)
            and families[name].asks_for(scale, step, field, run)
            for name, scale, run, step, field, _span, _content, _layout, conventions in current.iter_rows()
        ]
        # Several draws of the data may be the same.
        return current.filter(pl.Series(wanted, dtype=pl.Boolean)).drop("conventions").unique(maintain_order=True)

    def _asked_for(self, table: pl.DataFrame) -> pl.DataFrame:
        asked = pl.DataFrame(
            [(known.name, known.replicate, known.probe_hash, known.seed) for known in variants_of(self.plan, 0)],
            schema={"variant": pl.String, "replicate": pl.Int64, "probe_hash": pl.String, "base": pl.Int64},
            orient="row",
        )
        found = of_contents(table, self.current()).with_columns(_of_draw=pl.col("replicate") % DRAW)
        asked = asked.rename({"replicate": "_of_draw"})
        found = found.join(asked, on=["variant", "_of_draw", "probe_hash"]).drop("_of_draw")
        step = pl.when(pl.col("variant").is_in(unseeded())).then(0).otherwise("step")
        return found.filter(pl.col("seed") == pl.col("base") + step).drop("base")

    def attach(
        self,
        path: str | Path,
        family: str | None = None,
        names: Mapping[str, str] | None = None,
        only: Collection[str] = (),
        step: int | None = None,
    ) -> tuple[pl.DataFrame, list[str]]:
        """Take up external performance numbers; those of the same family, scale, run, step and metric are replaced.

        Parameters
        ----------
        path : str or pathlib.Path
            See :func:`gradcascade.performance.readers.read_metrics`.
        family : str, optional
            Whose they are, if the study has several families and the file does not say.
        names : mapping of str to str, optional
            The name that a scale, or a run of one (``"70m:3"``), has in the file, where it is none of its own.
        only : collection of str
            The metrics to take; by default all.
        step : int, optional
            The training step of results of the evaluation harness that name none.

        Returns
        -------
        metrics : polars.DataFrame
            What was taken up: family, scale, run, step, metric, value, with the scales named as the study names them.
        left_over : list of str
            Names of scales in the file that the study does not have.

        Raises
        ------
        InputError
            If the file cannot be read, or none of it belongs to a family and scale that was measured.

        Warns
        -----
        EvaluationWarning
            If files or columns are left out, or a scale has no name of its own in the file while others resemble it.
        """
        from gradcascade.study.evaluated import asked, names_of, read_and_match

        measured = self.cascades().select("family", "scale", "run", "source").unique()
        known = names_of(self.plan.families, measured.rows())
        scales = {one.family: one.runs for one in known}
        if family is not None and family not in scales:
            there = ", ".join(sorted(scales)) or "none yet"
            raise InputError(f"the study {self.folder} has no family {family!r}; those measured are: {there}")
        alone = next(iter(scales)) if len(scales) == 1 else None
        given = {self._family_of(label, scales, family): {} for label in names or {}}
        for label, name in (names or {}).items():
            given[self._family_of(label, scales, family)][label] = name
        matched = read_and_match(path, known, family or alone, given, only, step=step)
        if matched.metrics.is_empty():
            there = ", ".join(sorted(set(measured["scale"]))) or "none yet"
            raise InputError(
                f"the metrics in {path} are for {', '.join(matched.left_over) or 'no scale'}, and the study "
                f"{self.folder} has none of these scales; it has: {there}{asked(matched)}"
            )
        self.store.put_metrics(matched.metrics)
        return matched.metrics, list(matched.left_over)

    def _family_of(self, label: str, scales: Mapping[str, Collection[str]], family: str | None) -> str:
        """The one family that has a scale, or ``scale:run``."""
        owners = (
            [family] if family else [one for one in scales if {label, label.rpartition(":")[0]} & set(scales[one])]
        )
        if len(owners) == 1:
            return owners[0]
        if owners:
            raise InputError(f"the families {', '.join(owners)} all have a scale {label!r}; say which with --family")
        there = ", ".join(sorted({scale for own in scales.values() for scale in own})) or "none yet"
        raise InputError(f"the study {self.folder} has no scale {label!r}; its scales are: {there}")

    def metrics(self) -> pl.DataFrame:
        """External performance numbers: family, scale, run, step, metric, value."""
        return self.store.metrics()

    def tokens(self) -> pl.DataFrame:
        """Tokens that runs have seen: family, scale, step, tokens; of steps of cascades and metrics where known."""
        from gradcascade.study.tokens import tokens_table

        return tokens_table(self.plan, self.cascades(), self.metrics())

    def schedules(self) -> dict[str, Schedule]:
        """Learning rate at given steps, by family; families without a known schedule are not named."""
        from gradcascade.study.schedules import schedules_of

        return schedules_of(self.folder)

    def refusals(self) -> pl.DataFrame:
        """Snapshots that could not be measured, with the reason."""
        return self.store.refusals()

    def provenance(self) -> dict[str, Any]:
        """Versions and machine of the last measurement."""
        try:
            return json.loads((self.folder / "provenance.json").read_text(encoding="utf-8"))
        except (OSError, ValueError):
            return {}

    def close(self) -> None:
        """Close the store."""
        self.store.close()

    def __enter__(self) -> Study:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


def of_contents(cascades: pl.DataFrame, contents: pl.DataFrame) -> pl.DataFrame:
    """Cascades of these contents of the snapshots, and of their layouts where that matters."""
    found = cascades.join(
        contents.select(*SNAPSHOT, "content_hash", now="layout_hash"),
        on=[*SNAPSHOT, "content_hash"],
        nulls_equal=True,
        maintain_order="left",
    )
    depends = pl.col("variant").is_in([name for name in found["variant"].unique() if needs_layout(name)])
    # A real field has a layout where its tensors are in another order than the planned one.
    layout = pl.when(depends | (pl.col("layout_hash") != "")).then("now").otherwise(pl.lit(""))
    # Of a study of format 1 the layouts are not known until it is measured again: what came last counts.
    unknown = pl.col("now") == ""
    found = found.filter((pl.col("layout_hash") == layout) | unknown).drop("now")
    return found.unique([name for name in KEY if name != "layout_hash"], keep="last", maintain_order=True)


def _write(folder: Path, plan: Plan) -> None:
    """Write the plan and the provenance; a plan of an older format is kept beside the new one."""
    path = folder / "plan.toml"
    try:
        folder.mkdir(parents=True, exist_ok=True)
        if path.is_file() and (old := written_format(path)) != FORMAT:
            copy = folder / f"plan.format-{old}.toml"
            if not copy.exists():
                write_whole(copy, path.read_text(encoding="utf-8"))
        write_whole(path, plan_toml(plan))
        write_whole(folder / "provenance.json", json.dumps(_provenance(), indent=2) + "\n")
    except OSError as error:
        said = error.strerror or error
        raise InputError(f"the study {folder} cannot be written: {said}; free space or choose another") from None


def _foreign(path: Path) -> bool:
    """Whether a file is neither a quarantine list nor left behind by a first attempt that was killed."""
    return not path.name.startswith(SCRATCH) and path.name != QUARANTINE


def _check_format(folder: Path) -> None:
    try:
        found = json.loads((folder / "provenance.json").read_text(encoding="utf-8")).get("format")
    except FileNotFoundError:
        return
    except (OSError, ValueError, AttributeError):
        raise InputError(f"{folder / 'provenance.json'} cannot be read as JSON; restore it or remove it") from None
    if found not in (1, FORMAT):
        raise InputError(
            f"the study {folder} was written by another version of gradcascade (format {found}, this one reads "
            f"{FORMAT}); measure into a new folder, or use the version that wrote it"
        )


def _merged(there: Plan, asked: Plan, folder: Path) -> Plan:
    for part in ("probe", "nulls"):
        for key, value in getattr(there, part).model_dump().items():
            other = getattr(getattr(asked, part), key)
            if value != other:
                raise InputError(
                    f"the study {folder} was planned with {part}.{key} = {value}, not {other}; "
                    f"give --out another folder, or edit its plan.toml"
                )
    known = {family.name: family for family in there.families}
    for family in asked.families:
        before = known.get(family.name, family)
        # Neither affects what is measured.
        family = family.model_copy(
            update={"window": _window(before, family), "tokens": family.tokens or before.tokens}
        )
        old = before.model_copy(update={"window": family.window, "tokens": family.tokens})
        if old != family and family.name in _measured_families(folder):
            raise InputError(_another_family(folder, old, family))
        known[family.name] = family
    fit = asked.fit if asked.fit.window else there.fit
    return there.model_copy(update={"families": tuple(known.values()), "fit": fit})


def _window(there: FamilyPlan, asked: FamilyPlan) -> tuple[int, int] | None:
    """The window does not affect what is measured, so it may change; a preset's does not replace the study's own."""
    preset = asked.window is None or asked.window == published_window(asked)
    return there.window if there.window and preset else asked.window


def _measured_families(folder: Path) -> set[str]:
    path = folder / "cascades.sqlite"
    if not path.is_file():
        return set()
    with Store(path, read_only=True) as store:
        return store.families()


def _another_family(folder: Path, there: FamilyPlan, asked: FamilyPlan) -> str:
    if there.place != asked.place:
        return (
            f"the study {folder} has another family named {there.name!r} (from {there.place}); "
            f"choose another name with --family, or another --out"
        )
    old, new = there.model_dump(), asked.model_dump()
    key = next(key for key in old if old[key] != new[key])
    return (
        f"the study {folder} measures the family {there.name!r} with {key} = {_said(old[key])}, not "
        f"{_said(new[key])}; use the same setting, give --out another folder, or edit its plan.toml"
    )


def _said(value: object) -> str:
    if isinstance(value, (tuple, list)):
        return ",".join(map(str, value)) or "the usual ones"
    return "none" if value is None else str(value)


def _provenance() -> dict[str, Any]:
    packages = ("gradcascade", "numpy", "numba", "scipy", "polars")
    return {
        "format": FORMAT,
        "versions": {"python": platform.python_version(), **{name: version(name) for name in packages}},
        "machine": {"system": platform.system(), "architecture": platform.machine(), "cores": os.cpu_count()},
    }
