"""Write what follows from the code: the schema's file. Run it when a test says that it is out of date."""

from __future__ import annotations

from pathlib import Path

from gradcascade.export import schema

ROOT = Path(__file__).resolve().parents[1]


def main() -> None:
    """Write every file."""
    (ROOT / "src" / "gradcascade" / "export" / schema.FILE).write_text(schema.schema_text(), encoding="utf-8")


if __name__ == "__main__":
    main()
