"""``gradcascade lab``: the small experiments of arXiv:2604.04655 and arXiv:2604.16431, each a command of its own."""

from importlib import import_module

import typer

_LABS = {"xor": "lab_xor", "modular-addition": "lab_modular_addition"}
"""By name, the module beside this one with a function of the module's name, in the order of the help."""

lab = typer.Typer(
    help="Train small networks through a learning transition, and measure how cascades scale before and after.",
    no_args_is_help=True,
    rich_markup_mode=None,
)
for _name, _module in _LABS.items():
    lab.command(_name)(getattr(import_module(f"gradcascade.cli.{_module}"), _module))
