"""Build the wheel and the sdist, and run the README's example with the wheel in an environment of its own.

    .venv/bin/python .ci/package.py

Nothing is downloaded: the new environment sees the packages of the one that runs this, but not its gradcascade.
"""

from __future__ import annotations

import re
import subprocess
import sys
import sysconfig
import tarfile
import tempfile
import tomllib
import venv
import zipfile
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
EXAMPLE = re.compile(r"## In Python\n+```python\n(.*?)```", re.DOTALL)


def run(*words: object, **options) -> str:
    """What a command prints; it must succeed."""
    return subprocess.run([*map(str, words)], check=True, stdout=subprocess.PIPE, text=True, **options).stdout


def same_version() -> str:
    """The version, which four files have to name alike."""
    declared = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]["version"]
    for name, pattern in (
        ("src/gradcascade/__init__.py", r'^__version__ = "(.+)"$'),
        ("CITATION.cff", r"^version: (.+)$"),
        ("CHANGELOG.md", r"^## (\S+)"),
    ):
        found = re.search(pattern, (ROOT / name).read_text(encoding="utf-8"), re.MULTILINE)
        if found is None or found[1] != declared:
            sys.exit(f"{name} has version {found and found[1]}, pyproject.toml {declared}")
    return declared


def check_contents(wheel: Path, sdist: Path) -> None:
    """All files of the package that git knows are in both, and nothing else of it."""
    tracked = set(run("git", "ls-files", "src/gradcascade", cwd=ROOT).split())
    with zipfile.ZipFile(wheel) as archive:
        inside = {f"src/{name}" for name in archive.namelist() if name.startswith("gradcascade/")}
    with tarfile.open(sdist) as archive:
        names = {name.partition("/")[2] for name in archive.getnames()}
    for where, found in (
        ("wheel", inside),
        ("sdist", {name for name in names if name.startswith("src/gradcascade/")}),
    ):
        if found != tracked:
            sys.exit(f"the {where} differs from what git has in {sorted(found ^ tracked)[:5]}")


def check_sdist(sdist: Path, wheel: Path, folder: Path) -> None:
    """The wheel that is made of the sdist holds the same bytes."""
    with tarfile.open(sdist) as archive:
        archive.extractall(folder, filter="data")
    unpacked = next(folder.iterdir())
    run(sys.executable, "-m", "hatchling", "build", "-t", "wheel", "-d", folder / "again", cwd=unpacked)
    contents = []
    for file in (wheel, next((folder / "again").glob("*.whl"))):
        with zipfile.ZipFile(file) as archive:
            contents.append({name: archive.read(name) for name in archive.namelist()})
    if contents[0] != contents[1]:
        sys.exit("the wheel made of the sdist is another")


def check_installed(wheel: Path, folder: Path, version: str) -> str:
    """Install the wheel by itself, and run the README's example with it: what that prints."""
    venv.create(folder, symlinks=True)
    python = folder / "bin" / "python"
    own = Path(run(python, "-c", "import sysconfig; print(sysconfig.get_path('purelib'))").strip())
    (own / "others.pth").write_text(sysconfig.get_path("purelib") + "\n", encoding="utf-8")
    pip = (sys.executable, "-m", "pip", "--python", python, "install", "-q", "--disable-pip-version-check")
    run(*pip, "--no-index", "--no-deps", "--ignore-installed", wheel)
    example = EXAMPLE.search((ROOT / "README.md").read_text(encoding="utf-8"))
    if example is None:
        sys.exit("README.md has no example in Python")
    where = "\nimport gradcascade; print(gradcascade.__file__)"
    *printed, place = run(python, "-I", "-W", "error", "-c", example[1] + where, cwd=folder).splitlines()
    if not place.startswith(str(own)):
        sys.exit(f"gradcascade was imported from {place}")
    said = run(folder / "bin" / "gradcascade", "--version", cwd=folder).strip()
    if said != f"gradcascade {version}":
        sys.exit(f"the installed command says {said!r}")
    return " | ".join(printed)


def main() -> None:
    """Build, compare and try."""
    version = same_version()
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        run(sys.executable, "-m", "hatchling", "build", "-d", folder / "dist", cwd=ROOT, stderr=subprocess.DEVNULL)
        wheel, sdist = (next((folder / "dist").glob(f"*{end}")) for end in (".whl", ".tar.gz"))
        check_contents(wheel, sdist)
        check_sdist(sdist, wheel, folder / "unpacked")
        printed = check_installed(wheel, folder / "environment", version)
        print(f"{sdist.name}, {wheel.name}: the README's example prints {printed}")


if __name__ == "__main__":
    main()
