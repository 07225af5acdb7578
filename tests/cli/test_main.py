"""What a command prints may have nowhere to go."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

FULL = Path("/dev/full")
pytestmark = pytest.mark.skipif(not FULL.exists(), reason="needs /dev/full")


def gradcascade(*arguments, **streams):
    command = [sys.executable, "-m", "gradcascade", *arguments]
    return subprocess.run(command, **{"stdout": subprocess.PIPE, "stderr": subprocess.PIPE, "text": True} | streams)


@pytest.mark.parametrize(
    "arguments", [("families",), ("--help",), ("--version",), ("cache", "--json"), ("fit", "--help")]
)
def test_output_to_a_full_disk_ends_in_one_sentence(arguments):
    with FULL.open("w") as full:
        done = gradcascade(*arguments, stdout=full)
    assert done.returncode == 2
    assert done.stderr == (
        "gradcascade: what this command prints or writes could not be written (No space left on device); free some "
        "space, or write to another place\n"
    )


def test_where_errors_cannot_be_said_either_the_exit_code_says_so():
    with FULL.open("w") as full:
        assert gradcascade("families", stdout=full, stderr=full).returncode == 2
        assert gradcascade("fit", "nowhere", stderr=full).returncode == 2


def test_a_closed_output_is_no_fault():
    done = subprocess.run(
        f"{sys.executable} -m gradcascade families >&-", shell=True, capture_output=True, text=True, env=os.environ
    )
    assert done.returncode in (0, 2) and "Traceback" not in done.stderr
