"""Write what follows from the code: the schema's file, the tables of its columns, and the list of all options.

Run it (`python docs/generate.py`) when a test says that one of them is out of date.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from gradcascade.export import schema

ROOT = Path(__file__).resolve().parents[1]


def columns() -> str:
    """Tables of every exported column, as Markdown."""
    parts = []
    for name, table in schema.TABLES.items():
        rows = [
            f"| `{column.name}` | {column.type}{' or null' if column.nullable else ''} | {column.unit} | "
            f"{column.meaning} |"
            for column in table.columns
        ]
        head = ["| column | type | unit | meaning |", "| --- | --- | --- | --- |"]
        parts.append("\n".join([f"### `{name}`", "", table.meaning, "", *head, *rows]))
    return "\n\n".join(parts)


def commands() -> dict[str, Any]:
    """Every command by its words, such as ``probe`` and ``lab xor``."""
    import typer

    from gradcascade.cli.main import app

    return dict(_leaves("", typer.main.get_command(app)))


def _leaves(name: str, command: Any) -> Iterator[tuple[str, Any]]:
    if not hasattr(command, "commands"):
        yield name, command
        return
    for word, inner in command.commands.items():
        yield from _leaves(f"{name} {word}".lstrip(), inner)


def options() -> str:
    """Lists of every command's arguments and options, as Markdown."""
    return "\n\n".join(_command(name, command) for name, command in commands().items())


def _command(name: str, command: Any) -> str:
    arguments, rows = [], []
    for parameter in command.params:
        if parameter.param_type_name == "argument":
            arguments.append(parameter.metavar or str(parameter.name).upper())
            rows.append(f"| `{arguments[-1]}` | {parameter.help} | {_default(parameter)} |")
        elif parameter.name != "help":
            names = " ".join(f"`{option}`" for option in (*parameter.opts, *parameter.secondary_opts))
            rows.append(f"| {names} | {parameter.help} | {_default(parameter)} |")
    head = ["| | | default |", "| --- | --- | --- |"]
    title = " ".join(["gradcascade", name, *arguments])
    return "\n".join([f"### `{title}`", "", (command.help or "").strip(), "", *head, *rows])


def _default(parameter: Any) -> str:
    value = parameter.default
    if parameter.required:
        return "must be given"
    if value is None or value is False or callable(value):
        return ""
    if value is True:
        return f"`{parameter.opts[0]}`"
    return f"`{getattr(value, 'value', value)}`"


def checks() -> str:
    """Table of every check of the audit, as Markdown."""
    from gradcascade.sources.audit.evidence import CHECKS

    rows = []
    for code, check in CHECKS.items():
        needs = " or ".join(f"{thing} ≥ {fewest}" for thing, fewest in check.needs.items())
        data = ", ".join(f"`{name}`" for name in check.__dataclass_fields__)  # type: ignore[attr-defined]
        rows.append(f"| `{code}` | {check.reads} | {needs} | {' '.join((check.__doc__ or '').split())} | {data} |")
    return "\n".join(["| code | reads | needs | rule | data |", "| --- | --- | --- | --- | --- |", *rows])


GENERATED: dict[str, dict[str, Callable[[], str]]] = {
    "docs/exports.md": {"columns": columns},
    "docs/command-line.md": {"options": options},
    "docs/data-layouts.md": {"checks": checks},
}
"""By page, what stands between ``<!-- generated: NAME -->`` and ``<!-- end -->``."""


def page(path: str) -> str:
    """Text of a page with its generated parts as they should be.

    Parameters
    ----------
    path : str
        One of :data:`GENERATED`.

    Returns
    -------
    str
        The page.
    """
    text = (ROOT / path).read_text(encoding="utf-8")
    for name, write in GENERATED[path].items():
        begin = f"<!-- generated: {name} -->"
        pattern = re.compile(f"{re.escape(begin)}\n.*?<!-- end -->", re.DOTALL)
        if not pattern.search(text):
            raise ValueError(f"{path} has no part between {begin} and <!-- end -->")
        body = write()
        text = pattern.sub(lambda _, begin=begin, body=body: f"{begin}\n\n{body}\n\n<!-- end -->", text)
    return text


def main() -> None:
    """Write every file."""
    (ROOT / "src" / "gradcascade" / "export" / schema.FILE).write_text(schema.schema_text(), encoding="utf-8")
    for path in GENERATED:
        (ROOT / path).write_text(page(path), encoding="utf-8")


if __name__ == "__main__":
    main()
