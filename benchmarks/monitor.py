"""What a monitor costs a training on the CPU: time against training without it, alternately in one run, and memory.

python benchmarks/monitor.py [--widths 64,248,496] [--cycles 7] [--tokens 8x64] [--every 100]

Of every four steps of a small transformer one is measured. Its time and that of the next step, less twice that of
a step which neither is nor follows a measured one, is what a measurement costs, divided by the time of ``every``
steps. Times are medians over the cycles, of the clock and of the processor (all threads), which other processes
change less. Memory is the peak above what the process holds before its first measurement, with the graph it reads.
"""

from __future__ import annotations

import argparse
import os
import statistics
import time
from pathlib import Path

import torch

import gradcascade as gc

MODES = {
    "gradient": {},
    "gradient, N2": {"nulls": ("N2",)},
    "gradient, background": {"background": True},
    "four kinds": {"fields": ("gradient", "momentum", "direction", "update")},
}


def resident(key: str) -> float:
    """A line of this process's status in MB."""
    for line in Path("/proc/self/status").read_text().splitlines():
        if line.startswith(key):
            return int(line.split()[1]) / 1e3
    raise KeyError(key)


class Training:
    """A transformer, its optimizer, and batches of random bytes."""

    def __init__(self, width: int, batch: int, context: int) -> None:
        torch.manual_seed(0)
        layer = torch.nn.TransformerEncoderLayer(width, 8, 4 * width, dropout=0.0, batch_first=True)
        encoder = torch.nn.TransformerEncoder(layer, 4, enable_nested_tensor=False)
        self.model = torch.nn.Sequential(torch.nn.Embedding(256, width), encoder, torch.nn.Linear(width, 256))
        self.optimizer = torch.optim.AdamW(self.model.parameters(), lr=1e-4, fused=True)
        self.windows = torch.randint(0, 256, (batch, context + 1))
        self.n = sum(parameter.numel() for parameter in self.model.parameters())

    def step(self, monitor: gc.Monitor | None, step: int) -> tuple[float, float]:
        """One step; seconds of the clock and of the processor."""
        wall, processor = time.perf_counter(), time.process_time()
        self.optimizer.zero_grad()
        logits = self.model(self.windows[:, :-1])
        torch.nn.functional.cross_entropy(logits.flatten(0, 1), self.windows[:, 1:].flatten()).backward()
        if monitor:
            monitor.after_backward(step)
        self.optimizer.step()
        if monitor:
            monitor.after_step(step)
        return time.perf_counter() - wall, time.process_time() - processor


def memory(training: Training, monitor: gc.Monitor) -> float:
    """Peak of the first measurement above what was held, in MB."""
    training.step(None, 0)
    gc.release()
    Path("/proc/self/clear_refs").write_text("5")  # sets the peak back to what is held now
    before = resident("VmRSS")
    monitor.after_backward(0)
    monitor.flush()
    return resident("VmHWM") - before


def line(training: Training, mode: str, cycles: int, every: int) -> str:
    """Measure one mode."""
    with gc.Monitor(training.model, training.optimizer, every=4, strict=True, **MODES[mode]) as monitor:
        peak = memory(training, monitor)
        times: list[list[tuple[float, float]]] = [[], [], [], []]
        for step in range(4, 4 + 4 * cycles):
            times[step % 4].append(training.step(monitor, step))
    found = []
    for clock in (0, 1):
        measured, after, _, plain = (statistics.median(pair[clock] for pair in own) for own in times)
        found.append((plain, measured + after - 2 * plain))
    (wall, cost), (processor, processor_cost) = found
    shares = 100 * cost / (every * wall), 100 * processor_cost / (every * processor)
    return (
        f"{training.n:>12,}  {mode:<22}{1e3 * wall:>9.0f}{1e3 * cost:>9.0f}{shares[0]:>8.2f}"
        f"{1e3 * processor_cost:>10.0f}{shares[1]:>8.2f}{peak:>9.0f}"
    )


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--widths", default="64,248,496")
    parser.add_argument("--cycles", type=int, default=7)
    parser.add_argument("--tokens", default="8x64", help="batch x context")
    parser.add_argument("--every", type=int, default=100)
    given = parser.parse_args()
    batch, context = map(int, given.tokens.split("x"))
    print(f"{torch.get_num_threads()} threads; load beside {os.getloadavg()[0]:.1f}; every {given.every} steps")
    print(f"{'N':>12}  {'measured':<22}{'step ms':>9}{'cost ms':>9}{'%':>8}{'cpu ms':>10}{'cpu %':>8}{'MB':>9}")
    for width in map(int, given.widths.split(",")):
        training = Training(width, batch, context)
        gc.Probe()(torch.randn(training.n))  # builds and keeps the graph
        for mode in MODES:
            print(line(training, mode, given.cycles, given.every), flush=True)
    print(f"load at the end {os.getloadavg()[0]:.1f}")


if __name__ == "__main__":
    main()
