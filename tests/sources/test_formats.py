"""A format is one file: a toy one is found by its first bytes and read as any other."""

from pathlib import Path

import numpy as np
import pytest
from toys import add_module

from gradcascade.errors import InputError
from gradcascade.sources import read_field, read_tensors

TOY = '''
    """Little-endian float32 numbers behind the letters TOY1."""

    from gradcascade.sources.formats.base import Format
    from gradcascade.sources.stored import StoredTensor, mapped


    def open_toy(path):
        raw = mapped(path)
        return {"only": StoredTensor("only", "float32", ((raw.size - 4) // 4,), (4,), 4, raw, path)}


    FORMAT = Format("toy", 5, (".toy",), lambda start, size: start.startswith(b"TOY1"), open_toy)
'''


def test_a_toy_format_is_found_and_checked_against_names(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    values = np.arange(5, dtype="<f4")
    for name in ("a.toy", "a.pt"):
        (tmp_path / name).write_bytes(b"TOY1" + values.tobytes())
    with pytest.raises(InputError, match="unknown kind"):
        read_field(tmp_path / "a.toy")
    add_module(monkeypatch, tmp_path / "modules", "gradcascade.sources.formats", "toy", TOY)
    np.testing.assert_array_equal(read_field(tmp_path / "a.toy"), values)
    np.testing.assert_array_equal(read_tensors(tmp_path / "a.toy")["only"], values)
    with pytest.raises(InputError, match=r"named as a torch\.save file and is a toy file"):
        read_field(tmp_path / "a.pt")
    (tmp_path / "b.toy").write_bytes(b"nothing")
    with pytest.raises(InputError, match="is not a toy file as its name says"):
        read_field(tmp_path / "b.toy")
