import importlib.util
import re

import pytest
from doc_pages import ROOT

import gradcascade as gc

SPEC = importlib.util.spec_from_file_location("generate", ROOT / "docs" / "generate.py")
assert SPEC is not None and SPEC.loader is not None
generate = importlib.util.module_from_spec(SPEC)
SPEC.loader.exec_module(generate)

COMMANDS = generate.commands()


@pytest.mark.parametrize("path", generate.GENERATED)
def test_what_follows_from_the_code_is_up_to_date(path):
    assert (ROOT / path).read_text(encoding="utf-8") == generate.page(path), "run: python docs/generate.py"


@pytest.mark.parametrize("name", COMMANDS)
def test_every_command_and_option_is_in_the_page_of_the_command_line(name):
    text = (ROOT / "docs" / "command-line.md").read_text(encoding="utf-8")
    part = re.search(rf"^### `gradcascade {name}\b.*?(?=^###? |\Z)", text, re.DOTALL | re.MULTILINE)
    assert part, f"{name} has no section"
    for parameter in COMMANDS[name].params:
        for option in (*parameter.opts, *parameter.secondary_opts):
            if option.startswith("--") and option != "--help":
                assert f"`{option}`" in part[0]
    overview = text.partition("## ")[0]
    assert re.search(rf"^\| `{name}\b", overview, re.MULTILINE), f"{name} is not in the overview"


def test_every_public_name_is_in_the_page_of_the_library():
    text = (ROOT / "docs" / "library.md").read_text(encoding="utf-8")
    documented = re.findall(r"^\.\. auto\w+:: gradcascade\.(\w+)$", text, re.MULTILINE)
    assert sorted(documented) == sorted(gc.__all__)
