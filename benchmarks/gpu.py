"""The CUDA engine on the GPU at hand: its bits against the CPU engine's, and its time; prints one table.

python benchmarks/gpu.py [--sizes 589824,9437184,37748736,150994944] [--repetitions 7] [--kinds normal,heavy-tailed]

Fields are float32 and live on the GPU, as does the graph. Times are medians, by CUDA events, after one run that
compiles the kernels. With TRITON_INTERPRET=1 and small sizes the script can be tried without a GPU; its times then
mean nothing, and it says so.
"""

from __future__ import annotations

import argparse
import statistics
import sys
import time
from collections.abc import Callable
from typing import Any

import torch

import gradcascade as gc
from gradcascade.probe.engines.cuda import device
from gradcascade.probe.fixedpoint import choose_scale

KINDS: dict[str, Callable[[int, torch.device], torch.Tensor]] = {
    "normal": lambda n, where: torch.randn(n, device=where),
    "heavy-tailed": lambda n, where: torch.randn(n, device=where) / torch.rand(n, device=where).clamp_min(1e-4),
    "half-zeros": lambda n, where: torch.randn(n, device=where) * (torch.rand(n, device=where) < 0.5),
}


def milliseconds(run: Callable[[], Any], where: torch.device, repetitions: int) -> float:
    """Median time of a run."""
    times = []
    for _ in range(repetitions):
        if where.type == "cuda":
            start, end = (torch.cuda.Event(enable_timing=True) for _ in range(2))
            start.record()
            run()
            end.record()
            end.synchronize()
            times.append(start.elapsed_time(end))
        else:
            begin = time.perf_counter()
            run()
            times.append((time.perf_counter() - begin) * 1e3)
    return statistics.median(times)


def row(kind: str, n: int, where: torch.device, repetitions: int) -> tuple[str, bool]:
    """One line of the table, and whether every bit is the CPU engine's."""
    from gradcascade.probe.engines.cuda import arrays, counting, relaxing  # after the check: they need Triton

    torch.manual_seed(n)
    field = KINDS[kind](n, where)
    probe, host = gc.Probe(engine="cuda"), gc.Probe(engine="cpu")
    graph = probe.graph_for(n)
    found, expected = probe(field, graph), host(field, graph)
    same = (found.tau, found.activity.tolist()) == (expected.tau, expected.activity.tolist())
    with device.working_on(where):
        rows = arrays.resident(graph, where)
        magnitudes = counting.survey(field)
        scale = choose_scale(found.tau, magnitudes)
        parts = [
            lambda: probe(field, graph),
            lambda: counting.survey(field),
            lambda: counting.quantile(field, probe.quantile, magnitudes),
            lambda: counting.to_units(field, scale),
        ]
        times = [milliseconds(part, where, repetitions) for part in parts]
        units = counting.to_units(field, scale)
        work = units.clone()

        def relax() -> None:
            work.copy_(units)  # relaxing a relaxed field would be other work
            relaxing.relax(work, *rows, scale.threshold, probe.alpha, probe.max_steps)

        copying = milliseconds(lambda: work.copy_(units), where, repetitions)
        times.append(milliseconds(relax, where, repetitions) - copying)
    peak = f"{torch.cuda.max_memory_allocated(where) / n:.0f}" if where.type == "cuda" else "-"
    parted = " | ".join(f"{part:.2f}" for part in times)
    verdict = "same" if same else "DIFFERENT"
    return f"| {kind} | {n:,} | {verdict} | {found.duration} | {found.size / n:.4f} | {parted} | {peak} |", same


def main() -> int:
    parser = argparse.ArgumentParser()
    parser.add_argument("--sizes", default="589824,9437184,37748736,150994944")
    parser.add_argument("--kinds", default="normal,heavy-tailed")
    parser.add_argument("--repetitions", type=int, default=7)
    arguments = parser.parse_args()
    try:
        device.check()
    except gc.InputError as error:
        print(f"Nothing was run: {error}", file=sys.stderr)
        return 2
    where = device.device_of(None)
    if where.type == "cuda":
        print(f"{torch.cuda.get_device_name(where)}, torch {torch.__version__}\n")
    else:
        print("Interpreted on the processor (TRITON_INTERPRET=1): the bits count, the times mean nothing.\n")
    print("| field | N | bits | steps | s/N | ms | survey | quantile | units | relax | bytes/entry at peak |")
    print("| --- | --- | --- | --- | --- | --- | --- | --- | --- | --- | --- |")
    good = True
    for n in map(int, arguments.sizes.split(",")):
        for kind in arguments.kinds.split(","):
            if where.type == "cuda":
                torch.cuda.reset_peak_memory_stats(where)
            line, same = row(kind, n, where, arguments.repetitions)
            print(line, flush=True)
            good &= same
        gc.release()
    return 0 if good else 1


if __name__ == "__main__":
    sys.exit(main())
