"""The entry point: registers the commands and turns errors into exit codes."""

import errno
import os
import sys
import warnings
from collections.abc import Callable
from contextlib import suppress
from importlib import import_module
from typing import Annotated, Any

import typer

from gradcascade import __version__
from gradcascade.errors import InputError
from gradcascade.probe.threads import sleep_between_kernels

_INTERRUPTED = 130
"""Exit code with which a command ends on Ctrl-C."""

_NO_ROOM, _FAILING = (
    {getattr(errno, name) for name in names if hasattr(errno, name)}
    for names in (("ENOSPC", "EDQUOT", "EFBIG"), ("EIO", "ESTALE", "EREMOTEIO", "ETIMEDOUT", "EHOSTDOWN"))
)
"""What the system says where there is no room, and where a disk fails or a file server is gone."""

_COMMANDS = (
    "demo", "train", "probe", "graph", "cache", "families", "audit", "measure", "merge", "metrics", "fit", "compare",
    "robustness", "design", "report", "view", "export", "bench", "experiment", "lab",
)  # fmt: skip
"""Modules beside this one, each with a function or a group of commands of its own name, in the order of the help."""

app = typer.Typer(
    name="gradcascade",
    help="Measure finite-size gradient transport in language-model pretraining (arXiv:2605.02968).",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
)
for _name in _COMMANDS:
    _found = getattr(import_module(f"gradcascade.cli.{_name}"), _name)
    if isinstance(_found, typer.Typer):
        app.add_typer(_found, name=_name)
    else:
        app.command(_name)(_found)


def _show_version(wanted: bool) -> None:
    if wanted:
        typer.echo(f"gradcascade {__version__}")
        raise typer.Exit


@app.callback()
def _root(
    version: Annotated[
        bool, typer.Option("--version", callback=_show_version, is_eager=True, help="Show the version.")
    ] = False,
) -> None:
    del version


def _show_warning(show: Callable[..., None]) -> Callable[..., None]:
    """Show a warning of ours as one line without the place in the code, and any other as before."""

    def shown(message: Warning | str, category: type[Warning], *rest: Any, **options: Any) -> None:
        if category.__module__.startswith("gradcascade."):
            typer.echo(f"gradcascade: {message}", err=True)
        else:
            show(message, category, *rest, **options)

    return shown


def main() -> None:
    """Run the command line: exit code 0 done, 2 wrong usage or bad input, 1 a defect of ours."""
    sleep_between_kernels()
    warnings.showwarning = _show_warning(warnings.showwarning)
    try:
        try:
            app()
        finally:
            if sys.stdout is not None:
                sys.stdout.flush()
    except SystemExit as error:
        if error.code == _INTERRUPTED:
            _say("interrupted; the same command continues where it stopped")
        raise
    except InputError as error:
        _say(str(error))
        sys.exit(2)
    except MemoryError:
        _say(
            "there is not enough memory; a field of N entries needs about 40 N bytes, "
            "so close other programs or use a larger machine"
        )
        sys.exit(2)
    except BrokenPipeError:
        sys.stderr.close()
        sys.exit(0)
    except OSError as error:
        if error.errno not in _NO_ROOM | _FAILING:
            raise
        _drop_output()
        what = f"{error.filename} could" if error.filename else "what this command prints or writes could"
        if error.errno in _NO_ROOM:
            _say(f"{what} not be written ({error.strerror}); free some space, or write to another place")
        else:
            _say(
                f"{what} not be read or written ({error.strerror}); see to its disk or file server, and run it again"
            )
        sys.exit(2)


def _say(sentence: str) -> None:
    """Say a sentence on standard error; where even that is full, the exit code has to do."""
    with suppress(OSError):
        typer.echo(f"gradcascade: {sentence}", err=True)


def _drop_output() -> None:
    """Have what is left to be printed go nowhere: else Python complains at its end and changes the exit code."""
    with suppress(OSError, ValueError, AttributeError):
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
