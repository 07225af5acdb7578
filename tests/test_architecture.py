"""Imports of the package point one way (docs/design.md), and none of them is slow for the help."""

from __future__ import annotations

import ast
import graphlib
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

import gradcascade

PACKAGE = Path(gradcascade.__file__).parent
HEAVY = ("numba", "torch", "matplotlib", "scipy", "polars")

BASE = (
    "errors",
    "vocabulary",
    "numbers",
    "planfiles",
    "registry",
    "families",
    "files",
    "csvfile",
    "memory",
    "scratch",
    "evaluations",
    "tables",
    "tensor_names",
)
"""Modules that any other may use; they know nothing of the rest."""

LAYERS: dict[str, tuple[str, ...]] = {
    "probe": (),
    "fields": ("probe",),
    "sources": ("fields", "probe"),
    "scaling": (),
    "performance": ("scaling",),
    "inference": ("scaling", "performance"),
    "study": ("sources", "fields", "probe", "scaling", "performance", "inference"),
    "report": ("scaling", "performance", "inference"),
    "report.access": ("study",),  # the one module of the report that opens a study
    "export": ("report", "study"),
    "view": ("report", "study"),
    "live": ("study", "sources", "fields", "probe", "scaling"),
    "training": ("live", "study", "sources", "fields", "probe"),
    "benchmark": ("fields", "probe"),
}
"""What each part may import besides :data:`BASE`; the command line may import everything."""

DECLARATIONS = ("fields.kinds", "fields.nulls")
"""What kinds of field and nulls there are, in words: any part may read it; it imports none of the rest."""

KNOWN: frozenset[tuple[str, str]] = frozenset()
"""Arrows against the layers that are still there: (module, what it imports). To be empty."""


@dataclass(frozen=True)
class Arrow:
    """An import: at the module's top, inside a function, or for type checkers alone."""

    module: str
    target: str
    where: str


def modules() -> dict[str, Path]:
    found = {}
    for path in sorted(PACKAGE.rglob("*.py")):
        parts = path.relative_to(PACKAGE).with_suffix("").parts
        found[".".join(parts[:-1] if parts[-1] == "__init__" else parts)] = path
    return found


def _module_of(name: str, known: dict[str, Path]) -> str | None:
    """The module that an imported name lives in, without the package; None for what is not of the package."""
    if name.partition(".")[0] != "gradcascade":
        return None
    place = name.removeprefix("gradcascade").lstrip(".")
    while place and place not in known:
        place = place.rpartition(".")[0]
    return place


def imports_of(module: str, tree: ast.AST, known: dict[str, Path], where: str = "top") -> Iterator[Arrow]:
    for node in ast.iter_child_nodes(tree):
        names: list[str] = []
        inside = where
        if isinstance(node, ast.Import):
            names = [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{module} imports relative to itself"
            names = [f"{node.module}.{alias.name}" for alias in node.names]
        elif isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef, ast.Lambda)) and where == "top":
            inside = "function"
        elif isinstance(node, ast.If) and ast.unparse(node.test) == "TYPE_CHECKING":
            inside = "types"
        for name in names:
            target = _module_of(name, known)
            if target is not None and target != module:
                yield Arrow(module, target, where)
        yield from imports_of(module, node, known, inside)


def arrows() -> list[Arrow]:
    known = modules()
    return [
        arrow
        for module, path in known.items()
        for arrow in imports_of(module, ast.parse(path.read_text(encoding="utf-8")), known)
    ]


def _declared(module: str) -> bool:
    return ".".join(module.split(".")[:2]) in DECLARATIONS


def allowed(module: str, target: str) -> bool:
    part, aim = module.partition(".")[0], target.partition(".")[0]
    if part in ("", "cli", "__main__") or aim in ("", part):
        return True
    if part in BASE:
        return aim in BASE
    if _declared(target):
        return True
    return aim in (*BASE, *LAYERS[part], *LAYERS.get(module, ()))


def test_every_part_has_a_place_among_the_layers():
    parts = {module.partition(".")[0] for module in modules()} - {"", "cli", "__main__"}
    assert parts == {*BASE, *(name for name in LAYERS if "." not in name)}


def test_no_import_points_against_the_layers():
    against = {(arrow.module, arrow.target) for arrow in arrows() if not allowed(arrow.module, arrow.target)}
    assert against == KNOWN


def test_declarations_need_nothing_else_when_they_are_imported():
    ours = [arrow for arrow in arrows() if _declared(arrow.module) and arrow.where == "top"]
    others = {
        arrow.target for arrow in ours if not _declared(arrow.target) and arrow.target.split(".")[0] not in BASE
    }
    assert others == set()


@pytest.mark.parametrize("kinds", [("top", "function"), ("types",)], ids=["run", "types"])
def test_no_imports_go_in_a_circle(kinds):
    graph: dict[str, set[str]] = {}
    for arrow in arrows():
        if arrow.where in kinds and arrow.module and arrow.target:
            graph.setdefault(arrow.module, set()).add(arrow.target)
    graphlib.TopologicalSorter(graph).prepare()  # raises and names the circle


def test_the_reader_of_imports_sees_all_of_them():
    known: dict[str, Path] = {name: Path() for name in ("", "a", "b.c", "d")}
    source = (
        "from gradcascade.b.c import x\nif TYPE_CHECKING:\n    import gradcascade.d\n"
        "def f():\n    from gradcascade import d\n    import numpy\n"
    )
    found = list(imports_of("a", ast.parse(source), known))
    assert [(arrow.target, arrow.where) for arrow in found] == [("b.c", "top"), ("d", "types"), ("d", "function")]
    assert not allowed("scaling.windows", "probe.graph") and not allowed("errors", "cli.fit")
    assert allowed("report.access", "study.study") and not allowed("report.page", "study.study")


@pytest.mark.parametrize("arguments", [["--help"], ["measure", "--help"], ["export", "--help"]], ids=" ".join)
def test_help_imports_nothing_heavy(arguments):
    code = (
        "import sys\n"
        "from gradcascade.cli.main import app\n"
        f"try:\n    app({arguments!r})\nexcept SystemExit:\n    pass\n"
        f"print('loaded', [name for name in {HEAVY} if name in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.rstrip().endswith("loaded []")
