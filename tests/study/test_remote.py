import pytest
from hypothesis import given
from hypothesis import strategies as st

from gradcascade.errors import InputError
from gradcascade.sources.trees.hub.address import Address
from gradcascade.study.plan import FamilyPlan
from gradcascade.study.remote import _folder_name, open_hub


@given(st.text(min_size=1, max_size=80), st.text(min_size=1, max_size=80))
def test_every_family_has_a_folder_of_its_own(one, other):
    names = [_folder_name(family) for family in (one, other)]
    assert all("/" not in name and "." not in name and 0 < len(name) <= 49 for name in names)
    assert (names[0] == names[1]) == (one == other)


def test_a_family_on_disk_is_not_on_the_hub(tmp_path):
    with pytest.raises(InputError, match="is not on the hub"):
        open_hub(tmp_path, FamilyPlan(name="a", path="b"))


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("a/b", Address("a/b", "main", "")),
        ("a/b@c", Address("a/b", "c", "")),
        ("a/b@c/d:runs/e/", Address("a/b", "c/d", "runs/e")),
        ("a/b:runs/e", Address("a/b", "main", "runs/e")),
    ],
)
def test_an_address_is_read(text, expected):
    assert Address.of(text) == expected


@pytest.mark.parametrize("text", ["", "a/b@", "a/b@c@d", "a/b:", ":c"])
def test_what_is_no_address_is_refused(text):
    with pytest.raises(InputError, match="is not a repository"):
        Address.of(text)
