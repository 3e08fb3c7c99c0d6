"""Run the commands and the Python code of a Markdown page as they stand there, in a new folder.

    python scripts/run_readme.py README.md

Blocks marked `sh` and `python` are run with the environment of this interpreter; `pip install` lines are checked to
name this project and then skipped, because it is installed already. The folder `photos/` holds pictures that
scikit-image installs. A block that fails ends the run with status 1.
"""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
import tempfile
from importlib.util import find_spec
from pathlib import Path

PHOTOS = {"chelsea.png": "cat.png", "coffee.png": "coffee.png", "motorcycle_left.png": "motorcycle.png"}


def main() -> int:
    """Run the page named on the command line."""
    page = Path(sys.argv[1])
    blocks = re.findall(r"^```(sh|python)\n(.*?)^```$", page.read_text(encoding="utf-8"), re.MULTILINE | re.DOTALL)
    if not blocks:
        print(f"{page}: no block to run")
        return 1
    with tempfile.TemporaryDirectory() as folder:
        _put_photos(Path(folder, "photos"))
        for number, (language, code) in enumerate(blocks, 1):
            if not _run(language, code, folder):
                print(f"{page}: block {number} failed:\n{code}")
                return 1
    print(f"{page}: {len(blocks)} blocks run")
    return 0


def _put_photos(folder: Path) -> None:
    spec = find_spec("skimage")
    if spec is None or spec.origin is None:
        raise SystemExit("the photographs of scikit-image are needed: pip install --no-deps scikit-image")
    folder.mkdir()
    for name, shown in PHOTOS.items():
        shutil.copy(Path(spec.origin).with_name("data") / name, folder / shown)


def _run(language: str, code: str, folder: str) -> bool:
    if language == "sh":
        lines = code.strip().splitlines()
        installs = [line for line in lines if line.startswith("pip install")]
        if any("beholder" not in line for line in installs):
            return False
        command = ["sh", "-eu", "-c", "\n".join(line for line in lines if line not in installs) or ":"]
    else:
        command = [sys.executable, "-W", "error", "-c", code]
    scripts = str(Path(sys.executable).parent)
    environment = {**os.environ, "PATH": scripts + os.pathsep + os.environ.get("PATH", "")}
    done = subprocess.run(command, cwd=folder, env=environment, capture_output=True, text=True, check=False)
    if done.returncode:
        print(done.stdout + done.stderr)
    return done.returncode == 0


if __name__ == "__main__":
    sys.exit(main())
