"""What to cite: the papers of the measurement, of the published families that were measured, and this program.

Authors and titles are given where they are known for certain; an entry without a title names its subject instead.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import TYPE_CHECKING, NamedTuple

from gradcascade import __version__

if TYPE_CHECKING:
    import polars as pl

    from gradcascade.study.plan import Plan


class Reference(NamedTuple):
    """One thing to cite.

    Attributes
    ----------
    key : str
        Name of the BibTeX entry.
    authors : tuple of str
        Family name, comma, given name; the name of a body as it is.
    title : str
        Empty where it is not given here.
    year : int
        Year of the first version; 0 for none.
    arxiv : str
        Identifier on arXiv; empty for none.
    note : str
        What it is about, or what it was used for.
    """

    key: str
    authors: tuple[str, ...]
    title: str
    year: int
    arxiv: str
    note: str


TRANSPORT = Reference(
    "wang2026transport",
    ("Wang, P.", "Du, Y.-Q."),
    "Finite-Size Gradient Transport in Large Language Model Pretraining: From Cascade Size to Intensive Transport "
    "Efficiency",
    2026,
    "2605.02968",
    "The measurement",
)
PROBE = (
    Reference("wang2026xor", ("Wang, P.",), "", 2026, "2604.04655", "The probe, on XOR multilayer perceptrons"),
    Reference("wang2026modular", ("Wang, P.",), "", 2026, "2604.16431", "The probe, on modular addition"),
)
PYTHIA = Reference(
    "biderman2023pythia",
    (
        "Biderman, Stella",
        "Schoelkopf, Hailey",
        "Anthony, Quentin",
        "Bradley, Herbie",
        "O'Brien, Kyle",
        "Hallahan, Eric",
        "Khan, Mohammad Aflah",
        "Purohit, Shivanshu",
        "Prashanth, USVSN Sai",
        "Raff, Edward",
        "Skowron, Aviya",
        "Sutawika, Lintang",
        "{van der Wal}, Oskar",
    ),
    "Pythia: A Suite for Analyzing Large Language Models Across Training and Scaling",
    2023,
    "2304.01373",
    "The models measured",
)
POLYPYTHIAS = Reference(
    "vanderwal2025polypythias",
    (
        "{van der Wal}, Oskar",
        "Lesci, Pietro",
        'M{\\"u}ller-Eberstein, Max',
        "Saphra, Naomi",
        "Schoelkopf, Hailey",
        "Zuidema, Willem",
        "Biderman, Stella",
    ),
    "PolyPythias: Stability and Outliers across Fifty Language Model Pre-Training Runs",
    2025,
    "2503.09543",
    "The runs of Pythia with other seeds that were measured",
)
PICO = Reference(
    "diehlmartinez2025pico",
    (
        "{Diehl Martinez}, Richard",
        "Africa, David Demitri",
        "Weiss, Yuval",
        "Salhan, Suchir",
        "Daniels, Ryan",
        "Buttery, Paula",
    ),
    "Pico: A Modular Framework for Hypothesis-Driven Small Language Model Research",
    2025,
    "2509.16413",
    "The models measured",
)
GRADCASCADE = Reference(
    "gradcascade",
    ("{The gradcascade developers}",),
    "gradcascade: finite-size gradient transport in language-model pretraining",
    0,
    "",
    f"Version {__version__}",
)


def places(cascades: pl.DataFrame, plan: Plan) -> dict[str, str]:
    """Say where every measured family comes from.

    Parameters
    ----------
    cascades : polars.DataFrame
        At least the column ``family``.
    plan : Plan
        The plan of the study.

    Returns
    -------
    dict of str to str
        By family, the repositories it was fetched from; empty for one on disk.
    """
    hubs = {family.name: " ".join(family.hub.repositories.values()) if family.hub else "" for family in plan.families}
    return {name: hubs.get(name, "") for name in cascades["family"].unique(maintain_order=True)}


def references(families: Mapping[str, str]) -> list[Reference]:
    """Everything to cite of a study.

    Parameters
    ----------
    families : mapping of str to str
        By name of the family, the repositories it was fetched from, from :func:`places`. A published family is known
        by its repositories, and on disk by its name, where that begins with ``pythia`` or ``pico-lm``.

    Returns
    -------
    list of Reference
        The measurement, the probe, this program, and the published families.
    """
    found = [TRANSPORT, *PROBE, GRADCASCADE]
    known = [_published(name, repositories) for name, repositories in families.items()]
    if any("pythia" in names for names in known):
        found.append(PYTHIA)
    if any("seed" in names for names in known):
        found.append(POLYPYTHIAS)
    if any("pico" in names for names in known):
        found.append(PICO)
    return found


def _published(name: str, repositories: str) -> set[str]:
    """Which published families a family is of: "pythia", with "seed" if a run of another seed, or "pico"."""
    if repositories:
        pythia = "EleutherAI/pythia-" in repositories
        seeded = re.search(r"EleutherAI/pythia-\S*-seed", repositories) is not None
        pico = "pico-lm/pico-decoder-" in repositories
    else:
        pythia, seeded = name.startswith("pythia"), re.match(r"pythia\S*seed", name) is not None
        pico = name.startswith("pico-lm")
    return {word for word, so in (("pythia", pythia), ("seed", seeded), ("pico", pico)) if so}


def bibtex(families: Mapping[str, str]) -> str:
    """BibTeX entries of everything to cite.

    Parameters
    ----------
    families : mapping of str to str
        As for :func:`references`.

    Returns
    -------
    str
        One ``@misc`` entry each; in the title every capital is kept.
    """
    return "\n".join(_entry(reference) for reference in references(families))


def _entry(reference: Reference) -> str:
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
