"""Checks that the wheel and the source distribution in a folder hold every file of the packages.

python -m scripts.package_files FOLDER
"""

import subprocess
import sys
import tarfile
import zipfile
from pathlib import Path

ROOT = Path(__file__).parents[1]
PACKAGES = ("bot", "runners", "gherkin")


def committed(*folders: str) -> set[str]:
    """Return the files of the checkout that git knows below `folders` (all if none is given)."""
    listed = subprocess.run(
        ["git", "ls-files", "-z", "--", *folders], cwd=ROOT, capture_output=True, text=True, check=True
    )
    return {name for name in listed.stdout.split("\0") if name and (ROOT / name).exists()}


def missing(folder: Path) -> list[str]:
    """Return what the distributions in `folder` lack, a sentence each. Raises `StopIteration` where one is
    missing.
    """
    wheel = next(folder.glob("*.whl"))
    source = next(folder.glob("*.tar.gz"))
    with zipfile.ZipFile(wheel) as opened:
        held = set(opened.namelist())
    with tarfile.open(source) as unpacked:
        given = {name.partition("/")[2] for name in unpacked.getnames()}
    lacking = [f"{wheel.name} lacks {name}" for name in sorted(committed(*PACKAGES) - held)]
    return lacking + [f"{source.name} lacks {name}" for name in sorted(committed() - given)]


def main() -> int:
    lacking = missing(Path(sys.argv[1]))
    print("\n".join(lacking) or "The wheel and the source distribution hold every file of the packages.")
    return 1 if lacking else 0


if __name__ == "__main__":
    sys.exit(main())
