import pytest

from gradcascade.errors import InputError
from gradcascade.sources.manifest import FILE, Manifest, Parameter, read_manifest

PARAMETERS = (
    Parameter(name="a", shape=(2, 3), dtype="float32", trainable=True, in_field=True),
    Parameter(name="b", shape=(2,), dtype="bfloat16", trainable=False, in_field=False),
    Parameter(name="c", shape=(2, 3), dtype="float32", trainable=True, tied_to="a", in_field=False),
)


def test_a_manifest_is_read_as_it_was_written(tmp_path):
    manifest = Manifest(written_by="gradcascade 0", patterns=("a",), parameters=PARAMETERS, wrappers=("_orig_mod",))
    (tmp_path / FILE).write_text(manifest.text())
    assert read_manifest(tmp_path) == manifest
    assert manifest.field == ("a",)


def test_a_run_without_a_manifest_has_none(tmp_path):
    assert read_manifest(tmp_path) is None


@pytest.mark.parametrize("text", ["[]", "{}", '{"format": 9}', '{"written_by": "another", "files": []}'])
def test_another_programs_file_of_that_name_is_no_manifest(tmp_path, text):
    (tmp_path / FILE).write_text(text)
    assert read_manifest(tmp_path) is None


@pytest.mark.parametrize("text", ["", '{"written_by": "gradcascade 0", "format": 9}', "\xff"])
def test_what_is_no_manifest_is_refused_in_one_sentence(tmp_path, text):
    (tmp_path / FILE).write_bytes(text.encode("latin-1"))
    with pytest.raises(InputError, match="is not a manifest"):
        read_manifest(tmp_path)
