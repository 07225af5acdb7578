"""The command in a process that has imported it already: killed as any other, and started in a tenth of the time."""

import multiprocessing
import os
import sys

_CONTEXT = multiprocessing.get_context("forkserver")
_CONTEXT.set_forkserver_preload(["gradcascade.cli.main", "gradcascade.study.study", "gradcascade.study.sensitivity"])


def _run(folder, words):
    os.chdir(folder)
    sys.stdout = sys.stderr = open(os.devnull, "w")  # noqa: SIM115, PTH123 - as long as the process lives
    sys.argv = ["gradcascade", *words]
    from gradcascade.cli.main import main

    main()


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
