"""What the files of a figure must be."""

from __future__ import annotations

import re
import zlib
from collections.abc import Mapping
from pathlib import Path


def check_files(files: Mapping[str, Path]) -> None:
    """All four are there; fonts are embedded in the PDF, and letters stay letters in it and in the SVG."""
    assert sorted(path.suffix for path in files.values()) == [".csv", ".pdf", ".png", ".svg"]
    assert all(path.stat().st_size > 500 for path in files.values())
    assert files["png"].read_bytes().startswith(b"\x89PNG")
    assert "<text" in files["svg"].read_text(encoding="utf-8")
    pdf = files["pdf"].read_bytes()
    assert b"/FontFile2" in pdf and b"/Type3" not in pdf and b"/CIDFontType2" in pdf
    streams = re.findall(rb"stream\r?\n(.*?)\r?\nendstream", pdf, re.S)
    assert any(b"Tf" in zlib.decompress(stream) for stream in streams if stream[:1] == b"x")
