"""Puts the shared library into the wheel, and says for which platforms it is."""

import os
from typing import Any

from hatchling.builders.hooks.plugin.interface import BuildHookInterface

LIBRARY = "NEXA_WHEEL_LIBRARY"
PLATFORM = "NEXA_WHEEL_PLATFORM"


class SharedLibrary(BuildHookInterface):
    """Found by hatchling, whatever its name."""

    def initialize(self, version: str, build_data: dict[str, Any]) -> None:
        if LIBRARY not in os.environ or PLATFORM not in os.environ:
            raise SystemExit("the wheel needs the shared library: make it with nexa-verify/python/build")
        build_data["force_include"][os.environ[LIBRARY]] = "nexa_verify/libnexa_verify.so"
        # It is called through ctypes: for every Python 3, but not for every machine.
        build_data["pure_python"] = False
        build_data["tag"] = f"py3-none-{os.environ[PLATFORM]}"
