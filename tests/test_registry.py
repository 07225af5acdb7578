"""Declared objects are found by themselves, in their order, and only once each."""

import sys
from collections.abc import Iterator
from importlib import import_module
from pathlib import Path
from typing import Any

import pytest
from toys import add_module

from gradcascade.errors import InputError
from gradcascade.registry import Registry

BASE = """
from dataclasses import dataclass

@dataclass(frozen=True)
class Thing:
    name: str
    order: float = 0
"""

DECLARED = """
from toybox.base import Thing
THING = Thing({name!r}, {order})
"""


@pytest.fixture
def package(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    folder = tmp_path / "toybox"
    folder.mkdir()
    (folder / "__init__.py").touch()
    (folder / "base.py").write_text(BASE)
    (folder / "_shared.py").touch()
    for name, order in (("late", 2), ("early", 1), ("alike", 1)):
        (folder / f"{name}.py").write_text(DECLARED.format(name=name, order=order))
    monkeypatch.syspath_prepend(tmp_path)
    yield "toybox"
    for name in [name for name in sys.modules if name.split(".")[0] == "toybox"]:
        del sys.modules[name]


def things(package: str) -> Registry[Any]:
    return Registry(package, thing(), "thing")


def thing() -> Any:
    return import_module("toybox.base").Thing


def test_every_module_declares_one_object_and_they_come_in_order(package):
    registry = things(package)
    assert registry.names == ("alike", "early", "late")
    assert registry["late"] == thing()("late", 2)
    assert len(registry) == 3
    assert "base" not in registry


def test_a_further_directory_is_searched_as_soon_as_it_is_in_the_path(package, tmp_path):
    registry = things(package)
    assert "more" not in registry
    with pytest.MonkeyPatch.context() as monkeypatch:
        add_module(monkeypatch, tmp_path / "x", package, "more", DECLARED.format(name="more", order=1.5))
        assert registry.names == ("alike", "early", "more", "late")
    assert registry.names == ("alike", "early", "late")


def test_an_object_can_be_registered_and_stays_through_a_new_search(package, tmp_path, monkeypatch):
    registry = things(package)
    registry.register(thing()("own", 0))
    assert registry.names[0] == "own"
    add_module(monkeypatch, tmp_path / "x", package, "more", DECLARED.format(name="more", order=9))
    assert registry.names == ("own", "alike", "early", "late", "more")


def test_an_added_object_is_gone_after_the_block_also_after_an_error(package):
    registry = things(package)
    with pytest.raises(RuntimeError), registry.added(thing()("own")):
        assert "own" in registry
        raise RuntimeError
    assert "own" not in registry


def test_a_name_is_given_once(package, tmp_path, monkeypatch):
    registry = things(package)
    with pytest.raises(ValueError, match="two things are named 'late'"):
        registry.register(thing()("late"))
    assert registry["late"].order == 2
    add_module(monkeypatch, tmp_path / "x", package, "again", DECLARED.format(name="late", order=9))
    with pytest.raises(ValueError, match="two things are named 'late'"):
        registry.names  # noqa: B018 - it is the search that refuses


def test_a_module_that_declares_nothing_is_an_error(package, tmp_path, monkeypatch):
    registry = things(package)
    add_module(monkeypatch, tmp_path / "x", package, "empty", "THINGS = 3")
    with pytest.raises(TypeError, match=r"toybox.empty declares no THING of class Thing"):
        list(registry)


def test_an_unknown_name_is_answered_with_the_nearest_and_the_list(package):
    registry = things(package)
    assert registry.find("early").name == "early"
    with pytest.raises(
        InputError, match=r"thing 'erly' is unknown; did you mean 'early'\? There are alike, early, late"
    ):
        registry.find("erly")
    with pytest.raises(InputError, match=r"kind 7 is unknown; choose one of alike, early, late"):
        registry.find(7, argument="kind")  # pyright: ignore[reportArgumentType]
