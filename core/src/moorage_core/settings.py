"""What is wanted: flags over files over defaults, checked as a whole."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path, PurePosixPath
from typing import Any, Literal

from moorage_core import discovery, documents, merges
from moorage_core.discovery import Candidate, Installed
from moorage_core.documents import Document, Fault, Origin
from moorage_core.merges import PLUGINS, Merged
from moorage_core.programs import Program
from moorage_sdk import config, migrations
from moorage_sdk.config import Key
from moorage_sdk.durations import Duration

OOM_SCORES = range(-1000, 1001)
"""What /proc/PID/oom_score_adj takes (proc(5))."""


@dataclass(frozen=True)
class Debug:
    level: Literal["", "trace", "debug", "info", "warn", "warning", "error", "fatal", "panic"] = ""
    """How much is logged; empty is info."""
    format: Literal["", "text", "json"] = ""
    """How a log line looks; empty is text."""


@dataclass(frozen=True)
class Cgroup:
    path: str = ""
    """The control group that the daemon moves itself into, made where it is missing; empty stays where it is."""


@dataclass(frozen=True)
class Top:
    """The top level of the file, as far as it is the kernel's."""

    root: str
    """Directory for what must survive a reboot. Mode 0700."""
    state: str
    """Directory for what a reboot may take. Mode 0711."""
    temp: str = ""
    """Directory for temporary files; empty is the system's."""
    disabled_plugins: tuple[str, ...] = ()
    """URIs of plugins that are not even imported."""
    required_plugins: tuple[str, ...] = ()
    """URIs of plugins without which the daemon does not start."""
    oom_score: int = 0
    """The daemon's oom_score_adj, -1000 to 1000; 0 leaves it alone."""
    imports: tuple[str, ...] = ()
    """More files, or patterns of such, relative to this one; later ones override."""
    debug: Debug = field(default_factory=Debug)
    cgroup: Cgroup = field(default_factory=Cgroup)
    timeouts: Mapping[str, Duration] = field(default_factory=dict)
    plugins: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)


class ConfigurationError(Exception):
    """All that is wrong with the configuration, one fault a line."""

    def __init__(self, faults: Iterable[Fault]) -> None:
        self.faults = tuple(faults)
        super().__init__("\n".join(str(fault) for fault in self.faults))


@dataclass(frozen=True)
class Settings:
    """``merged`` is the whole file with origins, ``warnings`` what could be ignored, ``top`` the kernel's part.

    With ``faults`` nothing may be started; ``top`` then lacks what is faulty, so that the rest can be judged, too.
    ``absent`` is what others have and this daemon has not, with the reason.
    """

    program: Program
    top: Top
    merged: Merged
    warnings: tuple[Fault, ...] = ()
    faults: tuple[Fault, ...] = ()
    absent: Mapping[Key, str] = field(default_factory=dict)

    @property
    def root(self) -> Path:
        return Path(self.top.root)

    @property
    def state(self) -> Path:
        return Path(self.top.state)

    def table(self, uri: str) -> Mapping[str, Any]:
        """What files and flags say of a plugin."""
        return self.top.plugins.get(uri, {})

    def origin(self, key: Key) -> Origin | None:
        return self.merged.origin(key)

    def lack(self, key: Key) -> str:
        """Why this daemon has nothing that reads a key; empty for one that nobody knows."""
        return lack(self.absent, key)


@dataclass(frozen=True)
class Request:
    """The command line: a file (None: the program's own, if it is there), and flags by name (``log-level``)."""

    config: str | None = None
    flags: Mapping[str, str] = field(default_factory=dict)


class Modules:
    """The configuration modules that take part: ours, and those of third parties whose plugins have a table."""

    def __init__(self, installed: Installed, plugins: Iterable[Candidate], tables: set[str]) -> None:
        named = {candidate.distribution for candidate in plugins if candidate.uri in tables}
        self.modules: list[tuple[str, object]] = []
        self.warnings: list[Fault] = []
        for candidate in installed.candidates(discovery.CONFIG):
            if candidate.ours or candidate.distribution in named:
                try:
                    self.modules.append((candidate.distribution, candidate.load()))
                except discovery.LoadError as error:
                    self.warnings.append(Fault(None, f"configuration module of {candidate.distribution}: {error}"))

    @property
    def tables(self) -> set[str]:
        owners = (module for _, module in self.modules if isinstance(module, migrations.Tables))
        return {name for module in owners for name in module.TABLES}

    @property
    def migrations(self) -> list[tuple[str, documents.Migrate]]:
        return [(name, module.migrate) for name, module in self.modules if isinstance(module, migrations.Migration)]

    @property
    def absent(self) -> dict[Key, str]:
        owners = (module for _, module in self.modules if isinstance(module, migrations.Absences))
        return {key: reason for module in owners for key, reason in module.ABSENT.items()}

    def flags(self, name: str) -> list[tuple[str, ...] | Callable[[dict[str, Any], str], None]]:
        owners = (module for _, module in self.modules if isinstance(module, migrations.Flags))
        return [module.FLAGS[name] for module in owners if name in module.FLAGS]


def load(request: Request, program: Program, installed: Installed, plugins: Iterable[Candidate]) -> Settings:
    """Read, migrate, merge, apply flags, decode the top level."""
    read, faults = _read(request, program)
    tables = {uri for document in read for uri in _tables(document.table)}
    modules = Modules(installed, plugins, tables)
    for document in read:
        faults += documents.migrate(document, modules.migrations)
    merged = merges.merge(read)
    faults += _flags(request, modules, merged)
    faults += merged.faults
    defaults = {"root": program.root, "state": program.state}
    decoded = config.decode(Top, defaults | merged.table)
    faults += [Fault(merged.origin(fault.path), str(fault)) for fault in decoded.faults]
    top = decoded.value or config.decode(Top, defaults | _without(merged.table, decoded.faults)).value
    assert top is not None  # nothing is required but what has a default above
    faults += _meaning(top, merged)
    ignored = [each for each in decoded.unknown if not _harmless(each.path, merged.table, modules.tables)]
    absent = modules.absent
    told = [Fault(merged.origin(each.path), unread(absent, each)) for each in ignored]
    return Settings(program, _absolute(top), merged, (*modules.warnings, *told), tuple(faults), absent)


def _read(request: Request, program: Program) -> tuple[list[Document], list[Fault]]:
    if request.config is None and not documents.there(program.config):
        return [], []
    return documents.load(request.config if request.config is not None else program.config)


def _tables(table: Mapping[str, Any]) -> set[str]:
    plugins = table.get(PLUGINS, {})
    return set(plugins) if isinstance(plugins, dict) else set()


def _flags(request: Request, modules: Modules, merged: Merged) -> list[Fault]:
    faults: list[Fault] = []
    for name, value in request.flags.items():
        origin = Origin(f"flag --{name}")
        own: dict[str, tuple[str, ...]] = {"root": ("root",), "state": ("state",), "log-level": ("debug", "level")}
        targets = [own[name]] if name in own else modules.flags(name)
        if not targets:
            faults.append(Fault(origin, "no installed plugin takes this flag"))
        for target in targets:
            if isinstance(target, tuple):
                merged.put(target, value, Document("", {}, 0, origins={target: origin}), target)
                continue
            try:
                target(merged.table, value)
            except Exception as error:  # noqa: BLE001 - foreign code, and the table may hold anything yet
                faults.append(Fault(origin, f"{type(error).__name__}: {error}"))
    return faults


def _without(table: Mapping[str, Any], faults: Iterable[config.Fault]) -> dict[str, Any]:
    """A table without its faulty entries, or where they are tables without the faulty entries of those."""
    left = dict(table)
    for fault in faults:
        name, inner = str(fault.path[0]), fault.path[1:2]
        if inner and isinstance(left.get(name), dict):
            left[name] = {key: value for key, value in left[name].items() if key != inner[0]}
        else:
            left.pop(name, None)
    return left


def _meaning(top: Top, merged: Merged) -> list[Fault]:
    faults = []
    for key in ("disabled_plugins", "required_plugins"):
        for index, uri in enumerate(getattr(top, key)):
            if "." not in uri:
                message = f'{key}[{index}]: plugin "{uri}": not a URI such as io.containerd.<type>.v1.<id>'
                faults.append(Fault(merged.origin((key, index)), message))
            elif key == "required_plugins" and uri in top.disabled_plugins:
                message = f'{key}[{index}]: plugin "{uri}": disabled by disabled_plugins'
                faults.append(Fault(merged.origin((key, index)), message))
    for key in ("root", "state", "temp"):
        path = getattr(top, key)
        if "\0" in path or (not path and key != "temp"):
            faults.append(Fault(merged.origin((key,)), f"{key}: must be a path"))
    if top.root and Path(top.root).absolute() == Path(top.state).absolute():
        faults.append(Fault(merged.origin(("state",)), "state: must differ from root"))
    if ".." in PurePosixPath(top.cgroup.path).parts or "\0" in top.cgroup.path:
        faults.append(Fault(merged.origin(("cgroup", "path")), "cgroup.path: must be a path without .."))
    if top.oom_score not in OOM_SCORES:
        faults.append(Fault(merged.origin(("oom_score",)), "oom_score: must be within -1000 and 1000"))
    return faults


def lack(absent: Mapping[Key, str], key: Key) -> str:
    """The reason that stands for a key, or for the nearest table around it; empty when none does."""
    return next((absent[key[:n]] for n in range(len(key), 0, -1) if key[:n] in absent), "")


def unread(absent: Mapping[Key, str], unknown: config.Unknown) -> str:
    """What is said of a key that nobody reads."""
    reason = lack(absent, unknown.path)
    return f"{config.dotted(unknown.path)}: {reason}" if reason else str(unknown)


def _harmless(key: Key, table: Mapping[str, Any], owned: set[str]) -> bool:
    """An unknown key that a plugin owns, or that is set to nothing: containerd's own default file has such."""
    value: Any = table
    for part in key:
        value = value[part]
    return (len(key) == 1 and key[0] in owned) or is_empty(value)


def is_empty(value: Any) -> bool:
    """Whether a value is nothing, or a table of nothing."""
    return all(is_empty(item) for item in value.values()) if isinstance(value, dict) else not value


def _absolute(top: Top) -> Top:
    root, state = str(Path(top.root).absolute()), str(Path(top.state).absolute())
    return replace(top, root=root, state=state, temp=str(Path(top.temp).absolute()) if top.temp else "")
