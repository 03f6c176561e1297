"""Compiles the walks of `phimask.compiled` when phimask is built, where there is a C compiler; all works without.

PHIMASK_COMPILE=0 builds without them, PHIMASK_COMPILE=1 fails where they cannot be compiled.
"""

from __future__ import annotations

import os
import runpy
import sys
import sysconfig
import tempfile
from pathlib import Path
from typing import Any, Final

from hatchling.builders.hooks.plugin.interface import BuildHookInterface

SOURCES: Final = Path("framework", "phimask", "compiled")
PACKAGE: Final = "phimask_compiled"
"""Where they are installed: a package of its own, so that an editable wheel holds them as any other does. Nothing is
written into the checkout, and each environment has what was compiled for its Python."""


class CompiledWalks(BuildHookInterface):
    """Adds the package of compiled modules to a wheel."""

    PLUGIN_NAME = "custom"
    _folder: tempfile.TemporaryDirectory[str] | None = None

    def initialize(self, version: str, build_data: dict[str, Any]) -> None:
        """Compile, and say what the wheel is then good for."""
        wanted = os.environ.get("PHIMASK_COMPILE", "")
        if wanted not in {"", "0", "1"}:
            raise ValueError("PHIMASK_COMPILE is 0, 1 or not set")
        if wanted == "0" or self.target_name != "wheel":
            return
        self._folder = tempfile.TemporaryDirectory(ignore_cleanup_errors=True)
        try:
            files = package(Path(self.root), Path(self._folder.name))
        except (Exception, SystemExit) as error:  # compilers fail in many ways, some by ending the process
            if wanted == "1":
                raise RuntimeError(f"the walks of phimask cannot be compiled here: {error}") from error
            self.app.display_warning(
                f"phimask is built without its compiled walks, and slower for it: {error}"
            )
            return
        included = build_data["force_include_editable" if version == "editable" else "force_include"]
        included.update((str(file), f"{PACKAGE}/{file.name}") for file in files)
        build_data["pure_python"] = False
        build_data["infer_tag"] = True
        # hatchling takes any editable wheel for a pure one, and uv then gives it to other Pythons, too.
        builder = self.build_config.builder
        builder.get_default_tag = builder.get_best_matching_tag

    def finalize(self, version: str, build_data: dict[str, Any], artifact_path: str) -> None:  # noqa: ARG002  (hatchling's)
        """Leave nothing behind."""
        if self._folder is not None:
            self._folder.cleanup()


def package(root: Path, folder: Path) -> list[Path]:
    """The files of the package of compiled modules, in `folder`. Raises what Cython and compilers raise."""
    from Cython.Build import cythonize  # noqa: PLC0415  (may not be there)
    from setuptools import Distribution, Extension  # noqa: PLC0415  (as above)
    from setuptools.command.build_ext import build_ext  # noqa: PLC0415  (as above)

    if sys.implementation.name != "cpython" or sysconfig.get_config_var("Py_GIL_DISABLED"):
        raise RuntimeError("they are written for CPython with its global lock")
    if sys.byteorder != "little":
        raise RuntimeError("they are written for little-endian machines")
    posix = os.name == "posix"
    extensions = [
        Extension(
            f"phimask.compiled.{source.stem}",
            [str(source)],
            extra_compile_args=["-O3", "-g0"] if posix else [],
        )
        for source in sorted((root / SOURCES).glob("*.pyx"))
    ]
    made = cythonize(
        extensions,
        build_dir=str(folder / "c"),
        include_path=[str(root / "framework")],
        compiler_directives={"binding": False, "auto_pickle": False},  # a third less to compile
        quiet=True,
        force=True,
    )
    command = build_ext(Distribution({"name": "phimask", "ext_modules": made}))
    command.build_lib, command.build_temp = str(folder / "lib"), str(folder / "temp")
    command.parallel = posix  # setuptools' way to start Microsoft's compiler is not made for threads
    command.ensure_finalized()
    command.run()
    about = folder / "__init__.py"
    digest = runpy.run_path(str(root / SOURCES / "sources.py"))["digest"](root / SOURCES)
    about.write_text(
        f'"""The compiled walks of phimask, which `phimask.compiled` finds here."""\n\nSOURCES = "{digest}"\n',
        "utf-8",
    )
    return [about, *(Path(command.get_ext_fullpath(extension.name)) for extension in made)]
