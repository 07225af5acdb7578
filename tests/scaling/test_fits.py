from __future__ import annotations

import subprocess
import sys

TOY = """
import numpy as np, polars as pl
from gradcascade import vocabulary as v
v.CHANNELS["breadth"] = v.Channel("breadth", "w", "breadths", "", {"size": 2, "duration": -1}, "a toy")
v.EXPONENTS["omega"] = v.Exponent("omega", "ω", "breadth", "a toy")
v.EXPONENT_CHANNELS["omega"] = "breadth"
import gradcascade as gc
rng = np.random.default_rng(0)
table = pl.DataFrame([
    {"family": "f", "field": "gradient", "variant": variant, "step": step, "scale": f"s{k}", "n": 4**k * 1000,
     "size": 4**k * 100, "duration": int(rng.integers(5, 40)), "activity": [4**k * 50, 20, 3]}
    for variant in ("real", "N0", "N2") for step in range(14) for k in range(4)
])
fits = gc.fit_exponents(table)
wide = fits.pivot("exponent", index=["variant", "step"], values="value")
np.testing.assert_allclose(wide["omega"], 2 * wide["D"] - wide["z"], atol=1e-12)
assert gc.closure_error(fits)["closure_error"].max() < 1e-12
answers = gc.infer(table, (2, 13))
missing = [name for name, answer in answers.items()
           if "exponent" in answer.columns and answer.height and "omega" not in set(answer["exponent"])]
assert not missing, missing
from gradcascade.report.data import ReportData
data = ReportData.from_tables(table)
assert all("omega" in set(part["exponent"]) for part in (data.summary, data.decomposition_summary))
"""


def test_a_channel_that_is_declared_is_fitted_and_answered_everywhere() -> None:
    done = subprocess.run([sys.executable, "-c", TOY], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
