"""The loop of a worker: it answers what arrives on its connection, and tells what went wrong."""

from __future__ import annotations

import traceback
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from multiprocessing.connection import Connection
from typing import Any

from gradcascade.errors import InputError


@dataclass(frozen=True)
class Failed:
    """What was raised in a worker; a refusal of input if it is one."""

    words: str
    refusal: bool


def serve(connection: Connection, answer: Callable[[Any], Iterable[Any]]) -> None:
    """Send every answer to every task that arrives, until the other side is gone."""
    try:
        while True:
            try:
                for found in answer(connection.recv()):
                    connection.send(found)
            except (EOFError, ConnectionError):
                return
            except InputError as error:
                connection.send(Failed(str(error), True))
            except Exception:
                connection.send(Failed(traceback.format_exc(), False))
    except ConnectionError:
        return
