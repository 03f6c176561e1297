"""Compiles the walks of `phimask.compiled` when phimask is built, where there is a C compiler; all works without.

PHIMASK_COMPILE=0 builds without them, PHIMASK_COMPILE=1 fails where they cannot be compiled.
"""

from __future__ import annotations

import os
import shutil
import sys
import tempfile
from pathlib import Path
from typing import Any, Final

from hatchling.builders.hooks.plugin.interface import BuildHookInterface

PACKAGE: Final = Path("framework", "phimask", "compiled")


class CompiledWalks(BuildHookInterface):
    """Adds the compiled modules to a wheel, and lays them beside their sources for an editable one."""

    PLUGIN_NAME = "custom"
    _folder: Path | None = None

    def initialize(self, version: str, build_data: dict[str, Any]) -> None:
        """Compile, and say what the wheel is then good for."""
        wanted = os.environ.get("PHIMASK_COMPILE", "")
        if wanted == "0" or self.target_name != "wheel":
            return
        self._folder = Path(tempfile.mkdtemp())
        try:
            modules = compiled(Path(self.root), self._folder)
        except (
            Exception,
            SystemExit,
        ) as error:  # compilers fail in many ways, some of them by ending the process
            if wanted == "1":
                raise
            self.app.display_warning(
                f"phimask is built without its compiled walks, and slower for it: {error}"
            )
            return
        if version == "editable":
            for module in modules:
                beside = Path(self.root, PACKAGE, module.name)
                shutil.copyfile(module, beside.with_suffix(".new"))
                beside.with_suffix(".new").replace(beside)  # another process may have the old one open
            return
        build_data["pure_python"] = False
        build_data["infer_tag"] = True
        for module in modules:
            build_data["force_include"][str(module)] = f"phimask/compiled/{module.name}"

    def finalize(self, version: str, build_data: dict[str, Any], artifact_path: str) -> None:  # noqa: ARG002  (hatchling's)
        """Leave nothing behind."""
        if self._folder is not None:
            shutil.rmtree(self._folder, ignore_errors=True)


def compiled(root: Path, folder: Path) -> list[Path]:
    """The compiled modules, in `folder`. Raises what Cython and compilers raise."""
    from Cython.Build import cythonize  # noqa: PLC0415  (may not be there)
    from setuptools import Distribution, Extension  # noqa: PLC0415  (as above)
    from setuptools.command.build_ext import build_ext  # noqa: PLC0415  (as above)

    if sys.byteorder != "little":
        raise RuntimeError("they are written for little-endian machines")
    sources = sorted((root / PACKAGE).glob("*.pyx"))
    extensions = [Extension(f"phimask.compiled.{source.stem}", [str(source)]) for source in sources]
    made = cythonize(
        extensions,
        build_dir=str(folder / "c"),
        include_path=[str(root / "framework")],
        quiet=True,
        force=True,
    )
    command = build_ext(Distribution({"name": "phimask", "ext_modules": made}))
    command.build_lib, command.build_temp = str(folder / "lib"), str(folder / "temp")
    command.ensure_finalized()
    command.run()
    return [Path(command.get_ext_fullpath(extension.name)) for extension in made]
