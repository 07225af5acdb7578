"""What to cite: the papers of the measurement, of the published families that were measured, and this program."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

from gradcascade import __version__, families
from gradcascade.families import Citation

if TYPE_CHECKING:
    import polars as pl

    from gradcascade.study.plan import Plan

TRANSPORT = Citation(
    key="wang2026transport",
    authors=("Wang, P.", "Du, Y.-Q."),
    title="Finite-Size Gradient Transport in Large Language Model Pretraining: From Cascade Size to Intensive "
    "Transport Efficiency",
    year=2026,
    arxiv="2605.02968",
    note="The measurement",
)
PROBE = tuple(
    Citation(key=key, authors=("Wang, P.",), year=2026, arxiv=arxiv, note=f"The probe, on {where}")
    for key, arxiv, where in (
        ("wang2026xor", "2604.04655", "XOR multilayer perceptrons"),
        ("wang2026modular", "2604.16431", "modular addition"),
    )
)
GRADCASCADE = Citation(
    key="gradcascade",
    authors=("{The gradcascade developers}",),
    title="gradcascade: finite-size gradient transport in language-model pretraining",
    note=f"Version {__version__}",
)


def places(cascades: pl.DataFrame, plan: Plan) -> dict[str, str]:
    """By measured family, the repositories it was fetched from, separated by spaces; empty for one on disk."""
    hubs = {family.name: " ".join(family.hub.places.values()) if family.hub else "" for family in plan.families}
    return {name: hubs.get(name, "") for name in cascades["family"].unique(maintain_order=True)}


def references(measured: Mapping[str, str]) -> list[Citation]:
    """The measurement, the probe, this program, and the published families among those of :func:`places`."""
    known = {found.key: found for name, where in measured.items() for found in families.cited(name, where.split())}
    return [TRANSPORT, *PROBE, GRADCASCADE, *known.values()]


def bibtex(measured: Mapping[str, str]) -> str:
    """BibTeX entries of everything to cite, one ``@misc`` each; in the title every capital is kept."""
    return "\n".join(_entry(reference) for reference in references(measured))


def _entry(reference: Citation) -> str:
    fields = {"author": " and ".join(reference.authors)}
    if reference.title:
        fields["title"] = f"{{{reference.title}}}"
    if reference.year:
        fields["year"] = str(reference.year)
    if reference.arxiv:
        fields |= {"eprint": reference.arxiv, "archiveprefix": "arXiv"}
        fields["url"] = f"https://arxiv.org/abs/{reference.arxiv}"
    fields["note"] = reference.note
    lines = [f"  {name} = {{{value}}}," for name, value in fields.items()]
    return "\n".join([f"@misc{{{reference.key},", *lines, "}"]) + "\n"
