"""Programs that run without the superuser's right to write everywhere."""

import os
import shutil
import subprocess
import sys

import pytest

SETPRIV = ("setpriv", "--bounding-set=-dac_override,-dac_read_search", "--inh-caps=-all")


def prefix():
    """What to put before a command so that permissions hold for it; skips where that is not possible."""
    if not hasattr(os, "geteuid"):
        pytest.skip("needs the permissions of POSIX")
    if os.geteuid() != 0:
        return ()
    if shutil.which("setpriv") is None or subprocess.run([*SETPRIV, "true"], capture_output=True).returncode:
        pytest.skip("the superuser's capabilities cannot be dropped here")
    return SETPRIV


def python(code, *arguments, **options):
    """Run a program in Python with permissions that hold; its output is captured."""
    command = [*prefix(), sys.executable, "-c", code, *arguments]
    return subprocess.run(command, capture_output=True, text=True, **options)
