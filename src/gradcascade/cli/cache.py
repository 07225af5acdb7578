"""``gradcascade cache``: show the graphs that are kept on disk, or remove them."""

import json
from datetime import UTC, datetime
from typing import Annotated, Any

import typer

from gradcascade.cli.options import Json


def cache(
    clear: Annotated[
        bool, typer.Option("--clear", help="Remove all of them; they are built again when needed.")
    ] = False,
    as_json: Json = False,
) -> None:
    """Show the folder of graphs, what is in it, and its limit ($GRADCASCADE_CACHE_LIMIT, in GB)."""
    from gradcascade.probe import cache as store

    limit = store.limit()
    removed = store.clear() if clear else []
    left = store.entries()
    result = {
        "folder": str(store.cache_folder()),
        "entries": [_described(entry) for entry in left],
        "total": sum(entry.size for entry in left),
        "limit": limit,
        "removed": len(removed),
        "freed": sum(entry.size for entry in removed),
    }
    typer.echo(json.dumps(result) if as_json else "\n".join(_lines(result, clear)))


def _described(entry: Any) -> dict[str, Any]:
    from gradcascade.probe.graph import read_name

    kind, n = read_name(entry.path.name) or (entry.path.name, None)
    used = datetime.fromtimestamp(entry.last_used, UTC).isoformat(timespec="seconds")
    return {"name": entry.path.name, "kind": kind, "n": n, "size": entry.size, "last_used": used}


def _lines(result: dict[str, Any], clear: bool) -> list[str]:
    lines = [f"folder  {result['folder']}"]
    if result["entries"]:
        lines.append(f"{'kind':<16}  {'n':>13}  {'size':>8}  last use")
    for entry in result["entries"]:
        n = "" if entry["n"] is None else f"{entry['n']:,}"
        used = datetime.fromisoformat(entry["last_used"]).astimezone()
        lines.append(f"{entry['kind']:<16}  {n:>13}  {_bytes(entry['size']):>8}  {used:%Y-%m-%d %H:%M}")
    if clear:
        lines.append(f"removed {result['removed']} graphs, {_bytes(result['freed'])}")
    lines.append(f"total   {_bytes(result['total'])} of at most {_bytes(result['limit'])}")
    return lines


def _bytes(count: int) -> str:
    for unit, size in (("GB", 1e9), ("MB", 1e6), ("kB", 1e3)):
        if count >= size:
            return f"{count / size:.1f} {unit}"
    return f"{count} B"
