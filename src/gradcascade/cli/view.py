"""``gradcascade view``: the report of a study in a browser, kept up to date."""

import sys
import threading
import webbrowser
from typing import Annotated

import typer

from gradcascade.cli.options import StudyFolder


def view(
    study: StudyFolder,
    port: Annotated[
        int | None, typer.Option(min=1, max=65535, help="Port on the loopback address (default: a free one).")
    ] = None,
    no_open: Annotated[bool, typer.Option("--no-open", help="Do not open a browser.")] = False,
) -> None:
    """Serve the report on this machine, updated as the study grows, until Ctrl-C."""
    from gradcascade.view.live import LiveReport
    from gradcascade.view.server import serving

    try:
        live = LiveReport(study)
        with serving(live, port or 0) as server:
            typer.echo(f"the report of {study} is at {server.url} (Ctrl-C ends)")
            if sys.stdout.isatty() and not no_open:
                webbrowser.open(server.url)
            live.follow(threading.Event())
    except KeyboardInterrupt:
        typer.echo("", err=True)  # the prompt comes on a line of its own
