from __future__ import annotations

import re
from importlib import resources

from gradcascade.report.bundle import SCRIPTS, bundle

ASSETS = resources.files("gradcascade.report").joinpath("assets")


def test_every_script_is_joined_once() -> None:
    files = {entry.name for entry in ASSETS.iterdir() if entry.name.endswith(".js")}
    assert files == {f"{name}.js" for name in SCRIPTS}
    assert len(set(SCRIPTS)) == len(SCRIPTS)


def test_nothing_of_modules_is_left_and_nothing_ends_the_element() -> None:
    joined = bundle()
    assert not re.search(r"^(import|export)\b", joined.script, re.MULTILINE)
    for text in (joined.script, joined.library):
        assert "</script" not in text.lower()
        assert "<!--" not in text
    assert "</style" not in joined.style.lower()


def test_names_at_the_top_of_the_scripts_are_unique_since_they_share_one_function() -> None:
    pattern = r"^(?:export )?(?:async )?(?:function|const|let|class) ([\w$]+)"
    names = [
        name
        for script in SCRIPTS
        for name in re.findall(pattern, ASSETS.joinpath(f"{script}.js").read_text(encoding="utf-8"), re.MULTILINE)
    ]
    assert sorted(set(names)) == sorted(names)


def test_the_scripts_make_no_markup_of_text_and_ask_for_nothing() -> None:
    for name in SCRIPTS:
        text = ASSETS.joinpath(f"{name}.js").read_text(encoding="utf-8")
        for word in ("innerHTML", "outerHTML", "insertAdjacentHTML", "document.write", "eval(", "fetch(", "XMLHttp"):
            assert word not in text, (name, word)


def test_the_library_stands_beside_its_licence() -> None:
    licence = ASSETS.joinpath("uplot", "LICENSE").read_text(encoding="utf-8")
    assert "MIT" in licence and "Leon Sorokin" in licence
