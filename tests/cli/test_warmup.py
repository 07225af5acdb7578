import os
import subprocess
import sys
import time

import numpy as np

from gradcascade.cli.warmup import notice, warm_up
from gradcascade.probe.engines import cpu, filing
from gradcascade.probe.relaxation import Probe


def test_a_notice_is_printed_only_where_it_takes_long(capsys):
    with notice("slow", patience=10):
        pass
    assert capsys.readouterr().err == ""
    with notice("slow", patience=0.01):
        time.sleep(0.3)
    assert capsys.readouterr().err == "slow\n"


def test_warming_up_calls_the_kernels_of_large_fields_and_stores_no_graph(tmp_path, monkeypatch):
    monkeypatch.setenv("GRADCASCADE_CACHE", str(tmp_path))
    filed = []
    file_all = filing._file_all
    monkeypatch.setattr(filing, "_file_all", lambda *arguments: filed.append(1) or file_all(*arguments))
    warm_up(Probe(), np.dtype(np.float32))
    assert filed and not list(tmp_path.iterdir())
    assert cpu.MANY > 1


def test_a_damaged_graph_is_one_line_on_the_terminal(tmp_path):
    np.save(tmp_path / "field.npy", np.random.default_rng(0).standard_normal(5_000).astype(np.float32))
    environment = {**os.environ, "GRADCASCADE_CACHE": str(tmp_path / "cache")}

    def probe():
        command = [sys.executable, "-m", "gradcascade", "probe", "field.npy"]
        return subprocess.run(command, cwd=tmp_path, env=environment, capture_output=True, text=True, check=True)

    first = probe().stdout
    (entry,) = (tmp_path / "cache").iterdir()
    with (entry / "neighbours.npy").open("r+b") as file:
        file.seek(3_000)
        file.write(b"\xff\xff\xff\xff")
    again = probe()
    assert again.stdout.splitlines()[:5] == first.splitlines()[:5]
    lines = [line for line in again.stderr.splitlines() if "compiling" not in line]
    assert lines == [f"gradcascade: the cached graph {entry.name} is damaged; it is built again"]
