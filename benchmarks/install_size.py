"""What the base install downloads: each package with its size, and the sum.

    python benchmarks/install_size.py

Asks pip for the wheels that it would install on this machine, dependencies of dependencies included.
"""

from __future__ import annotations

import subprocess
import sys
import tempfile
import tomllib
from pathlib import Path

SETTINGS = Path(__file__).parent.parent / "pyproject.toml"


def main() -> None:
    direct = tomllib.loads(SETTINGS.read_text(encoding="utf-8"))["project"]["dependencies"]
    with tempfile.TemporaryDirectory() as folder:
        command = [sys.executable, "-m", "pip", "download", "--quiet", "--only-binary=:all:", "--dest", folder, *direct]
        subprocess.run(command, check=True)
        sizes = {path.name: path.stat().st_size for path in sorted(Path(folder).iterdir())}
    for name, size in sizes.items():
        print(f"{size / 1e6:7.2f} MB  {name}")
    print(f"{sum(sizes.values()) / 1e6:7.2f} MB  in {len(sizes)} packages, {len(direct)} of them direct dependencies")


if __name__ == "__main__":
    main()
