"""Coverage-guided fuzzing of the readers: ``pip install atheris; python tests/sources/fuzz_readers.py CORPUS``.

Any options of libFuzzer may follow, such as ``-max_total_time=600 -timeout=5 -rss_limit_mb=1024``. A file that is
neither read nor refused with an InputError, or that takes memory out of proportion to its size, stops it.
"""

import contextlib
import importlib
import sys
import tempfile
from pathlib import Path

from hostile_files import GOOD, entry, npy, npy_header, pt, st
from sample_files import write_zip

SUFFIXES = (".pt", ".safetensors", ".npy", ".bin")
PICKLE_ALONE = 3
"""The place in `SUFFIXES` whose input is only the pickle, in a zip that is always good."""


def read(data: bytes, path: Path) -> None:
    """Read one input, whose first byte chooses the kind of file."""
    from gradcascade.errors import InputError
    from gradcascade.sources import read_field, read_tensors

    kind = data[0] % len(SUFFIXES)
    path = path.with_suffix(SUFFIXES[kind])
    if kind == PICKLE_ALONE:
        write_zip(path, data[1:])
    else:
        path.write_bytes(data[1:])
    limit = 2 * path.stat().st_size
    with contextlib.suppress(InputError):
        assert read_field(path).nbytes <= 2 * limit  # half precision doubles when it is widened
    with contextlib.suppress(InputError):
        for values in read_tensors(path).values():
            assert values.nbytes <= limit


def write_seeds(corpus: Path) -> None:
    """Good inputs to start from."""
    corpus.mkdir(parents=True, exist_ok=True)
    seeds = {0: pt(GOOD), 1: st({"a": entry(), "b": entry("F16", [0], [16, 16])}), 2: npy(npy_header())}
    for kind, write in seeds.items():
        file = corpus / f"seed{kind}"
        write(file)
        file.write_bytes(bytes([kind]) + file.read_bytes())
    (corpus / "seed3").write_bytes(bytes([PICKLE_ALONE]) + GOOD)


def main() -> None:
    """Fuzz until told to stop."""
    atheris = importlib.import_module("atheris")
    with atheris.instrument_imports(include=["gradcascade.sources"]):
        importlib.import_module("gradcascade.sources")
    write_seeds(Path(sys.argv[1]))
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "input"
        atheris.Setup(sys.argv, lambda data: read(data, path) if data else None)
        atheris.Fuzz()


if __name__ == "__main__":
    main()
