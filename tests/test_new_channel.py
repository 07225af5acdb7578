"""A channel is added in four files at most: a toy one, in a copy of the package."""

import json
import shutil
import subprocess
import sys
from pathlib import Path

import gradcascade

EDITS = {
    "vocabulary.py": [
        ("CHANNELS: dict[str, Channel] = {\n    channel.name: channel\n    for channel in (\n",
         '        Channel("peak_share", "peak / N", "peaks", "", {"peak": 1, "n": -1}, "largest share"),\n'),
        ("EXPONENTS: dict[str, Exponent] = {\n    exponent.name: exponent\n    for exponent in (\n",
         '        Exponent("eta", "η", "peak_share", "peak share"),\n'),
    ],
    "scaling/channels.py": [
        ("PUBLISHED_MAX_STEPS =", 'QUANTITIES["peak"] = pl.col("activity").list.max().cast(pl.Float64)\n'),
    ],
}  # fmt: skip
"""File, the text after (or, for a line of its own, before) which something is put, and what is put there."""

USE = """
import json, sys
import numpy as np, polars as pl
import gradcascade as gc
from gradcascade.export.schema import json_schema
from gradcascade.report.data import ReportData
from gradcascade.report.page_data import chart_data

rows = []
for scale, n in (("a", 10_000), ("b", 40_000), ("c", 160_000)):
    for step in (1, 2, 3):
        active = [round(0.1 * n ** 0.9), n // 50 + step, n // 100]
        rows.append(("toy", "gradient", "real", scale, step, n, sum(active), len(active), active, 0))
names = ["family", "field", "variant", "scale", "step", "n", "size", "duration", "activity", "replicate"]
cascades = pl.DataFrame(rows, names, orient="row")
fits = gc.fit_exponents(cascades)
data = ReportData.from_tables(cascades)
page = chart_data(data)
print(json.dumps({
    "file": gc.__file__,
    "channel": gc.channels(cascades)["peak_share"].to_list(),
    "eta": fits.filter(exponent="eta")["value"].to_list(),
    "closure": gc.closure_error(fits)["closure_error"].to_list(),
    "described": json_schema()["properties"]["tables"]["properties"]["fits"]["items"]["properties"]["exponent"],
    "symbols": {name: known["symbol"] for name, known in page["vocabulary"]["exponents"].items()},
    "labels": {name: known["label"] for name, known in page["vocabulary"]["channels"].items()},
    "page": page["groups"][0]["variants"]["real"]["peak_share"],
    "page_eta": page["groups"][0]["variants"]["real"]["exponents"]["eta"]["value"],
}))
"""


def test_a_channel_in_two_files_is_fitted_described_and_on_the_page(tmp_path):
    package = tmp_path / "gradcascade"
    shutil.copytree(Path(gradcascade.__file__).parent, package, ignore=shutil.ignore_patterns("__pycache__"))
    assert len(EDITS) <= 4
    for name, additions in EDITS.items():
        text = (package / name).read_text(encoding="utf-8")
        for anchor, added in additions:
            assert text.count(anchor) == 1, f"{name} has no single {anchor!r} any more"
            text = text.replace(anchor, anchor + added if anchor.endswith("\n") else added + anchor)
        (package / name).write_text(text, encoding="utf-8")
    code = f"import sys; sys.path.insert(0, {str(tmp_path)!r})\n{USE}"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    found = json.loads(done.stdout)
    assert Path(found["file"]).parent == package
    peaks = [[round(0.1 * n**0.9) / n] * 3 for n in (10_000, 40_000, 160_000)]
    assert found["channel"] == [value for scale in peaks for value in scale]
    assert all(abs(value + 0.1) < 1e-3 for value in found["eta"])
    assert all(abs(got - value) < 1e-4 for scale, row in zip(found["page"], peaks, strict=True)
               for got, value in zip(scale, row, strict=True))  # fmt: skip
    assert all(abs(got - value) < 1e-4 for got, value in zip(found["page_eta"], found["eta"], strict=True))
    assert max(found["closure"]) < 1e-12
    assert "eta" in found["described"]["description"] and found["symbols"]["eta"] == "η"
    assert found["labels"]["peak_share"] == "peak_share peak / N"
