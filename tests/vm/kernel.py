"""A Debian kernel with vivid and v4l2loopback in a cache folder: downloaded as packages, unpacked, not installed."""

from __future__ import annotations

import functools
import os
import shutil
import subprocess
from dataclasses import dataclass
from pathlib import Path

import platformdirs

REQUIRED_MODULES = ("virtio_pci", "9p", "9pnet_virtio", "overlay", "vivid", "v4l2loopback")
# Required programs, and the Debian packages that contain them.
TOOLS = {
    "qemu-system-x86_64": "qemu-system-x86",
    "busybox": "busybox-static",
    "depmod": "kmod",
    "gcc-12": "gcc-12",
    "make": "make",
    "xz": "xz-utils",
    "dpkg-deb": "dpkg",
    "apt-get": "apt",
    "v4l2-ctl": "v4l-utils",
    "ffmpeg": "ffmpeg",
    "chromium": "chromium",
}
_IMAGE, _LOOPBACK = "linux-image-amd64", "v4l2loopback-dkms"


class CannotBuildError(Exception):
    """The kernel or its modules could not be built; the message is one line."""


@dataclass(frozen=True)
class Kernel:
    """A bootable kernel.

    Attributes:
        image: Compressed kernel.
        modules: The required modules and their dependencies, in load order.
        release: As printed by `uname -r`.
        folder: A tree with lib/modules/RELEASE, for modprobe.
    """

    image: Path
    modules: tuple[Path, ...]
    release: str
    folder: Path


def missing_tools() -> list[str]:
    """Return one line for every missing program."""
    missing = [tool for tool in TOOLS if shutil.which(tool) is None]
    return [f"{tool} is missing: sudo apt-get install --no-install-recommends {TOOLS[tool]}" for tool in missing]


def cache_dir() -> Path:
    """Return the folder of built kernels: VENEER_VM_CACHE, or a folder in the user's cache."""
    return Path(os.environ.get("VENEER_VM_CACHE") or Path(platformdirs.user_cache_dir("veneer-vm")))


def ready_kernel() -> Kernel:
    """Return the newest kernel of the package lists, cached or newly built; without lists, the newest cached one.

    Raises:
        CannotBuildError: There is no package list or network, or the module does not compile.
    """
    cache = cache_dir()
    release = _newest_release()
    folder = cache / f"{release}-{_candidate(_LOOPBACK)}" if release else _newest_cached(cache)
    if folder is None:
        raise CannotBuildError(f"no package {_IMAGE} is in the package lists: sudo apt-get update")
    if not (folder / "release").is_file():
        _build(folder, release)
    release = (folder / "release").read_text().strip()
    return Kernel(folder / "vmlinuz", _load_order(folder, release), release, folder)


def _newest_release() -> str:
    for line in _command_output("apt-cache", "depends", _IMAGE).splitlines():
        kind, _, name = line.strip().partition(": ")
        if kind == "Depends" and name.startswith("linux-image-"):
            return name.removeprefix("linux-image-")
    return ""


def _candidate(package: str) -> str:
    for line in _command_output("apt-cache", "policy", package).splitlines():
        if line.strip().startswith("Candidate:"):
            return line.split(":", 1)[1].strip().replace(":", ".")
    return "unknown"


def _newest_cached(cache: Path) -> Path | None:
    cached = sorted(cache.glob("*/release"), key=lambda file: file.stat().st_mtime)
    return cached[-1].parent if cached else None


def _build(folder: Path, release: str) -> None:
    """Download, unpack and compile; keep only the needed files, about 25 MB of 600."""
    part = folder.with_name(f"{folder.name}.{os.getpid()}.part")
    shutil.rmtree(part, ignore_errors=True)
    try:
        packages, tree = part / "packages", part / "tree"
        packages.mkdir(parents=True)
        headers = f"linux-headers-{release}"
        dependencies = [
            line.split()[-1]
            for line in _command_output("apt-cache", "depends", headers).splitlines()
            if "Depends:" in line
        ]
        dependencies = [name for name in dependencies if name.startswith(("linux-headers-", "linux-kbuild-"))]
        _run(
            [
                "apt-get",
                "-oAcquire::Retries=5",
                "download",
                f"linux-image-{release}",
                headers,
                *dependencies,
                _LOOPBACK,
            ],
            cwd=packages,
        )
        for package in packages.glob("*.deb"):
            _run(["dpkg-deb", "-x", str(package), str(tree)])
        _compile_loopback(tree, release)
        _run(["depmod", "-b", str(tree), release])
        _keep(tree, release, folder)
    finally:
        shutil.rmtree(part, ignore_errors=True)


def _compile_loopback(tree: Path, release: str) -> None:
    makefile = tree / "usr" / "src" / f"linux-headers-{release}" / "Makefile"
    makefile.write_text(makefile.read_text().replace("/usr/src/", f"{tree}/usr/src/"))  # its unpacked location
    source = next((tree / "usr" / "src").glob("v4l2loopback-*"))
    _run(["make", "-C", str(makefile.parent), f"M={source}", "modules"])
    extra = tree / "lib" / "modules" / release / "updates"
    extra.mkdir(parents=True, exist_ok=True)
    shutil.copy(source / "v4l2loopback.ko", extra)


def _keep(tree: Path, release: str, folder: Path) -> None:
    """Move the image and the required modules to the cache folder atomically."""
    kept, modules = tree.with_name("kept"), tree / "lib" / "modules" / release
    shutil.copytree(modules, kept / "lib" / "modules" / release, ignore=lambda *_: ["kernel", "build", "source"])
    for path in _load_order(tree, release):
        target = kept / path.relative_to(tree)
        target.parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(path, target)
    _run(["depmod", "-b", str(kept), release])
    shutil.copy(tree / "boot" / f"vmlinuz-{release}", kept / "vmlinuz")
    (kept / "release").write_text(release + "\n")
    folder.parent.mkdir(parents=True, exist_ok=True)
    shutil.rmtree(folder, ignore_errors=True)
    kept.replace(folder)


def _load_order(tree: Path, release: str) -> tuple[Path, ...]:
    """Return the required modules, each after its dependencies, from depmod's table."""
    folder = tree / "lib" / "modules" / release
    dependencies: dict[str, list[str]] = {}
    for line in (folder / "modules.dep").read_text().splitlines():
        path, _, paths = line.partition(":")
        dependencies[path] = paths.split()
    by_name = {Path(path).name.partition(".")[0].replace("-", "_"): path for path in dependencies}
    order: list[str] = []
    for name in REQUIRED_MODULES:
        if name not in by_name:
            raise CannotBuildError(f"the kernel {release} has no module {name}")
        path = by_name[name]
        order += [each for each in [*reversed(dependencies[path]), path] if each not in order]
    return tuple(folder / path for path in order)


@functools.cache
def _command_output(*command: str) -> str:
    environment = {**os.environ, "LC_ALL": "C"}
    return subprocess.run(command, capture_output=True, text=True, env=environment, timeout=60).stdout


def _run(command: list[str], cwd: Path | None = None) -> None:
    done = subprocess.run(command, cwd=cwd, capture_output=True, text=True, timeout=600)
    if done.returncode:
        lines = (done.stderr or done.stdout).strip().splitlines() or ["no reason given"]
        raise CannotBuildError(f"{' '.join(command[:2])} failed: {lines[-1]}")
