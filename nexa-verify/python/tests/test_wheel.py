"""The wheel (`NEXA_WHEEL`): what is in it, and what it says of itself."""

from __future__ import annotations

import os
import subprocess
import sys
import zipfile
from email import message_from_bytes
from importlib.metadata import distribution
from pathlib import Path

import pytest

from conftest import REPOSITORY

WHEEL = os.environ.get("NEXA_WHEEL")


@pytest.mark.skipif(WHEEL is None, reason="NEXA_WHEEL names no wheel")
def test_the_wheel_holds_the_package_its_types_its_library_and_licences() -> None:
    assert WHEEL is not None
    with zipfile.ZipFile(WHEEL) as wheel:
        names = set(wheel.namelist())
        info = "nexa_verify-0.1.0.dist-info"
        head = message_from_bytes(wheel.read(f"{info}/WHEEL"))
        texts = [wheel.read(f"{info}/licenses/{name}").decode() for name in ("LICENSE-MIT", "LICENSE-APACHE", "NOTICES.txt")]
    modules = {name for name in names if name.endswith(".py")}
    assert {"nexa_verify/py.typed", "nexa_verify/libnexa_verify.so", "nexa_verify/__init__.py"} <= names
    assert len(names - modules) == 8, names
    assert "Permission is hereby granted" in texts[0] and "Apache License" in texts[1]
    assert "curve25519-dalek" in texts[2]
    assert head["Root-Is-Purelib"] == "false"
    assert all(tag.startswith("py3-none-m") for tag in head.get_all("Tag", []))


def test_it_needs_nothing_else() -> None:
    metadata = distribution("nexa-verify").metadata
    assert metadata.get_all("Requires-Dist") is None
    assert metadata["License-Expression"] == "MIT OR Apache-2.0"
    assert metadata["Requires-Python"] == ">=3.9"


def test_the_readme_shows_the_example_as_it_is() -> None:
    shown = (REPOSITORY / "README.md").read_text("utf-8")
    example = (REPOSITORY / "nexa-verify/python/examples/app.py").read_text("utf-8")
    assert f"\n```python\n{example}```\n" in shown


def test_without_its_library_the_import_says_so(tmp_path: Path) -> None:
    import nexa_verify

    folder = tmp_path / "nexa_verify"
    folder.mkdir()
    for module in Path(nexa_verify.__file__).parent.glob("*.py"):
        (folder / module.name).write_bytes(module.read_bytes())
    command = [sys.executable, "-c", "import nexa_verify"]
    ended = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True)
    assert ended.returncode == 1 and "ImportError: nexa_verify has no shared library" in ended.stderr
