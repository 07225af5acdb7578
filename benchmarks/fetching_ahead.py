"""Time of measuring a family on a hub that is as slow as measuring, one after the other and ahead; for docs.

python benchmarks/fetching_ahead.py [--entries 3000000] [--steps 8]

The hub is the imitation of the tests, in a process of its own, at a rate at which a checkpoint takes as long as the
cascades of one update. Prints the time of fetching and reading alone, of the cascades, and of both with
either executor.
"""

from __future__ import annotations

import argparse
import multiprocessing
import os
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import numpy as np

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT / "tests" / "sources" / "trees" / "hub"))


def _serve(entries: int, steps: int, rate: Any, place: Any) -> None:
    """Serve ``lab/far``, a branch for every step with one tensor in safetensors, at the rate that is set."""
    import json
    import struct

    from imitation import Imitation

    with Imitation() as hub:
        made = np.random.default_rng(0)
        for step in range(steps + 1):
            header = json.dumps(
                {"w": {"dtype": "F32", "shape": [entries], "data_offsets": [0, 4 * entries]}}
            ).encode()
            values = made.standard_t(3, size=entries).astype("<f4").tobytes()
            files = {"model.safetensors": struct.pack("<Q", len(header)) + header + values}
            hub.repository("lab/far").commit(f"step{step}", "add", files)
        place.put(hub.endpoint)
        while rate.value >= 0:
            hub.rate = rate.value or None
            time.sleep(0.05)


def main() -> None:
    """Measure and print."""
    options = argparse.ArgumentParser(description=__doc__)
    options.add_argument("--entries", type=int, default=3_000_000)
    options.add_argument("--steps", type=int, default=8)
    given = options.parse_args()
    context = multiprocessing.get_context("spawn")
    rate, place = context.Value("d", 0.0), context.Queue()
    server = context.Process(target=_serve, args=(given.entries, given.steps, rate, place), daemon=True)
    server.start()
    os.environ["HF_ENDPOINT"] = place.get(timeout=120)

    import gradcascade as gc
    from gradcascade.study.plan import FamilyPlan, HubPlan, NullPlan, Plan
    from gradcascade.study.runner import open_source

    hub = HubPlan(layout="named-branches", repositories={"far": "lab/far@step{step}"})
    plan = Plan(families=(FamilyPlan(name="far", hub=hub, fields=("update",)),), nulls=NullPlan(kinds=("N0", "N2")))
    probe = gc.Probe()
    probe(np.random.default_rng(1).standard_t(3, size=given.entries).astype(np.float32))  # the graph, and compiling

    def measured(executor: str) -> tuple[float, float]:
        """Seconds in all, and those of the cascades."""
        with tempfile.TemporaryDirectory() as folder, gc.Study.create(Path(folder) / "study", plan) as study:
            begun = time.perf_counter()
            outcome = gc.run(study, executor=executor)
            assert not outcome.refused and outcome.measured == 3 * given.steps, outcome
            return time.perf_counter() - begun, float(study.cascades()["seconds"].sum())

    measured("serial")  # warms what a first run alone pays for
    _, cascades = measured("serial")
    size = 4 * given.entries * (given.steps + 1)
    rate.value = size / cascades
    with tempfile.TemporaryDirectory() as folder:
        source = open_source(Path(folder), plan.families[0])
        begun = time.perf_counter()
        for snapshot in source.snapshots():
            snapshot.load()
        fetching = time.perf_counter() - begun
        source.close()
    serial, _ = measured("serial")
    ahead, cascades = measured("ahead")
    slower = max(fetching, cascades)
    print(f"{given.steps} updates of {given.entries:,} entries, {size / 1e6:,.0f} MB at {rate.value / 1e6:,.1f} MB/s")
    print(f"fetched and read alone    {fetching:6.1f} s")
    print(f"cascades alone            {cascades:6.1f} s")
    print(f"one after the other       {serial:6.1f} s, {serial / slower:.2f} times the slower of the two")
    print(f"ahead                     {ahead:6.1f} s, {ahead / slower:.2f} times the slower of the two")
    rate.value = -1.0


if __name__ == "__main__":
    main()
