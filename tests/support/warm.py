"""The command in a process that has imported it already: ended as any other, and started in a tenth of the time."""

import multiprocessing
import os
import subprocess
import sys
import tempfile
import warnings
from pathlib import Path

_CONTEXT = multiprocessing.get_context("forkserver")
_CONTEXT.set_forkserver_preload(
    [
        "gradcascade.cli.main",
        "gradcascade.study.study",
        "gradcascade.study.sensitivity",
        "gradcascade.sources.audit",
        "gradcascade.export.tables",
        "gradcascade.report.page",
        "matplotlib.backends.backend_pdf",
        "matplotlib.backends.backend_svg",
        "scipy.stats",
    ]
)


def _command(words):
    sys.argv = ["gradcascade", *words]
    from gradcascade.cli.main import main

    main()


def _run(folder, words):
    os.chdir(folder)
    sys.stdout = sys.stderr = open(os.devnull, "w")  # noqa: SIM115, PTH123 - as long as the process lives
    _command(words)


def _run_told(folder, words, environment, printed, strict):
    """Run as ``python -m gradcascade`` would, strictly with ``-W error``, and leave what it prints in files."""
    os.chdir(folder)
    os.environ.clear()
    os.environ.update(environment)
    for stream, path in zip((1, 2), printed, strict=True):
        os.dup2(os.open(path, os.O_WRONLY | os.O_CREAT), stream)
    if strict:
        warnings.simplefilter("error")
    _command(words)


class Warm:
    """One run of the command in a folder, with the methods of `subprocess.Popen` that tests of interruption use."""

    def __init__(self, folder, *words):
        self._process = _CONTEXT.Process(target=_run, args=(folder, words))
        self._process.start()
        self.pid = self._process.pid or 0

    def poll(self):
        return self._process.exitcode

    def wait(self, timeout):
        self._process.join(timeout)
        return self._process.exitcode


def command(*words, cwd=None, strict=True, environment=None):
    """Run the command to its end, strictly if warnings are errors; what `subprocess.run` gives of text it caught."""
    words = tuple(map(str, words))
    with tempfile.TemporaryDirectory() as folder:
        printed = [Path(folder) / name for name in ("out", "err")]
        given = (cwd or Path.cwd(), words, {**os.environ, **(environment or {})}, printed, strict)
        process = _CONTEXT.Process(target=_run_told, args=given)
        process.start()
        process.join(120)
        assert process.exitcode is not None, f"{words} does not end"
        return subprocess.CompletedProcess(words, process.exitcode, *(path.read_text() for path in printed))
