"""Finding plugins: entry points first, then the modules and files that phimask.yaml names."""

from __future__ import annotations

import difflib
import hashlib
import importlib
import importlib.util
import os
import re
import stat
import sys
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from importlib import metadata
from pathlib import Path
from typing import Any, Final

import pluggy

from phimask.errors import PluginError
from phimask.plugins import hookspecs
from phimask.plugins.failure import describe
from phimask.plugins.registry import Registry

GROUP: Final = "phimask"
"""The entry-point group; the built-in plugins are one of its entries, called `builtin`."""

_DOTTED: Final = re.compile(r"[^\W\d]\w*(\.[^\W\d]\w*)*")


@dataclass(frozen=True, slots=True)
class _Found:
    """A plugin that was found and not loaded yet; `names` are those by which it can be disabled."""

    provider: str
    names: tuple[str, ...]
    load: Callable[[], Any]


def disabled_plugins(environ: Mapping[str, str]) -> frozenset[str]:
    """The names in PHIMASK_DISABLED_PLUGINS: entry points, modules or files, with commas between them."""
    names = environ.get("PHIMASK_DISABLED_PLUGINS", "").split(",")
    return frozenset(name.strip() for name in names if name.strip())


def load_registry(
    plugins: Sequence[str] = (),
    directory: Path = Path(),
    disabled: Collection[str] = (),
    *,
    checked: bool = False,
) -> Registry:
    """Load every plugin and build the registry.

    `plugins` is what phimask.yaml lists: a module's dotted name, or the path of a `.py` file from `directory`
    (the folder of phimask.yaml). `disabled` names plugins that are not even imported: an entry point's name,
    a module's name, a file as it is listed or its name without `.py`. A plugin that is found twice is loaded
    once. `checked`: see Registry.

    A file becomes a module whose name follows from its path alone, so that the same file is the same module
    in each process. Python cannot import that module by itself: a process that is to unpickle a class from
    it, such as a spawned worker, first calls this function with the same arguments.

    Raises PluginError for a plugin that is not there, fails to load, or does not keep its interface. The
    message names the plugin, the exception's type and the place, and no more.
    """
    manager = pluggy.PluginManager(hookspecs.PROJECT)
    manager.add_hookspecs(hookspecs)
    kept_out: set[str] = set()
    for found in (*_entry_points(), *(_named(plugin, directory) for plugin in plugins)):
        if blocking := set(found.names) & set(disabled):
            kept_out |= blocking
            continue
        plugin = found.load()
        if not manager.is_registered(plugin):
            _register(manager, plugin, found.provider)
    return Registry(manager, disabled=kept_out, unknown_disabled=set(disabled) - kept_out, checked=checked)


def _entry_points() -> Iterator[_Found]:
    points = metadata.entry_points(group=GROUP)
    for point in sorted(points, key=lambda point: (point.name, point.value)):
        provider = f"{point.name} ({point.dist.name} {point.dist.version})" if point.dist else point.name
        module = point.value.partition(":")[0].strip()
        yield _Found(provider, (point.name, module), partial(_load_entry_point, provider, point))


def _named(plugin: str, directory: Path) -> _Found:
    if plugin.endswith(".py"):
        names = (plugin, Path(plugin).stem)
        return _Found(plugin, names, partial(_load_file, plugin, directory / plugin))
    if not _DOTTED.fullmatch(plugin):
        raise PluginError(
            f"plugin {plugin}: this is neither a module's name nor a file; "
            "write my_package.my_module, or a path that ends in .py"
        )
    return _Found(plugin, (plugin,), partial(_load_module, plugin, directory))


def _load_entry_point(provider: str, point: metadata.EntryPoint) -> Any:
    try:
        return point.load()
    except (Exception, SystemExit) as error:  # noqa: BLE001  (a plugin may raise anything)
        raise _failed(provider, error) from None


def _load_module(name: str, directory: Path) -> Any:
    try:
        return importlib.import_module(name)
    except ModuleNotFoundError as error:
        if error.name is None or not f"{name}.".startswith(f"{error.name}."):
            raise _failed(name, error) from None
    except (Exception, SystemExit) as error:  # noqa: BLE001  (as above)
        raise _failed(name, error) from None
    file = Path(*name.split(".")).with_suffix(".py")
    right = (
        f"to load the file, write {file.as_posix()}"
        if (directory / file).is_file()
        else "install it beside phimask, or name a file that ends in .py"
    )
    raise PluginError(f"plugin {name}: there is no such module; {right}")


def _load_file(plugin: str, file: Path) -> Any:
    file = Path(os.path.realpath(file))
    if not _is_file(plugin, file):
        beside = [path.name for path in file.parent.glob("*.py") if path.is_file()]
        close = difflib.get_close_matches(file.name, beside, n=1)
        right = f"did you mean {close[0]}?" if close else "paths start from the folder of phimask.yaml"
        raise PluginError(f"plugin {plugin}: there is no file {file}; {right}")
    name = _module_name(file)
    if name in sys.modules:
        return sys.modules[name]
    spec = importlib.util.spec_from_file_location(name, file)
    if spec is None or spec.loader is None:
        raise PluginError(f"plugin {plugin}: Python cannot load {file}; it has to be a Python source file")
    module = importlib.util.module_from_spec(spec)
    # Registered first, as an import would: dataclasses and pickling look their module up by name.
    sys.modules[name] = module
    try:
        spec.loader.exec_module(module)
    except BaseException as error:
        del sys.modules[name]
        if isinstance(error, Exception | SystemExit):
            raise _failed(plugin, error) from None
        raise
    return module


def _is_file(plugin: str, file: Path) -> bool:
    """Raises PluginError for one that this user may not read, or not look for."""
    try:
        if not stat.S_ISREG(file.stat().st_mode):
            return False
        file.open("rb").close()
    except PermissionError as error:
        raise PluginError(
            f"plugin {plugin}: {file} cannot be read ({error.strerror}); let this user read it"
        ) from None
    except (OSError, ValueError):  # a name that is too long, for one
        return False
    return True


def _module_name(file: Path) -> str:
    digest = hashlib.sha256(os.path.normcase(file).encode("utf-8", "surrogateescape")).hexdigest()
    stem = re.sub(r"\W", "_", file.stem)
    return f"phimask_plugin_{stem}_{digest[:12]}"


def _register(manager: pluggy.PluginManager, plugin: Any, provider: str) -> None:
    if manager.has_plugin(provider):
        raise PluginError(f"plugin {provider}: another plugin is called the same; disable or rename one")
    try:
        manager.register(plugin, provider)
    except pluggy.PluginValidationError:
        raise PluginError(
            f"plugin {provider}: a hook takes arguments; hooks take none: def phimask_register_maskers():"
        ) from None


def _failed(provider: str, error: BaseException) -> PluginError:
    return PluginError(
        f"plugin {provider} does not load: {describe(error)}; "
        "mend it, or leave it out with PHIMASK_DISABLED_PLUGINS"
    )
