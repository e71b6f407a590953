"""The guest's kernel: missing programs are reported, and a cached kernel is found without network."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest
from vm import kernel


def test_missing_program_names_its_package(monkeypatch: pytest.MonkeyPatch) -> None:
    here = shutil.which
    monkeypatch.setattr(shutil, "which", lambda name: None if name in ("depmod", "chromium") else here("sh"))
    lines = kernel.missing_tools()
    assert len(lines) == 2 and all("\n" not in line for line in lines)
    assert "depmod" in lines[0] and lines[0].endswith(" kmod")
    assert "chromium" in lines[1] and "apt-get install" in lines[1]


@pytest.fixture
def no_packages(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Path:
    """An empty cache, and empty package lists."""
    monkeypatch.setenv("VENEER_VM_CACHE", str(tmp_path))
    monkeypatch.setattr(kernel, "_command_output", lambda *_: "")
    return tmp_path


def test_missing_package_lists_or_kernel_name_the_remedy(no_packages: Path) -> None:
    with pytest.raises(kernel.CannotBuildError, match="apt-get update"):
        kernel.ready_kernel()


def test_cached_kernel_is_found_with_modules_in_load_order(no_packages: Path) -> None:
    folder = no_packages / "6.1.0-1-amd64-0.12.7"
    modules = folder / "lib" / "modules" / "6.1.0-1-amd64"
    modules.mkdir(parents=True)
    others = [f"{name}.ko:" for name in ("virtio_pci", "9p", "9pnet_virtio", "overlay", "v4l2loopback")]
    vivid = "kernel/vivid.ko: kernel/v4l2-tpg.ko kernel/videodev.ko"  # depmod lists dependencies in reverse load order
    (modules / "modules.dep").write_text("\n".join([*others, vivid]))
    (folder / "release").write_text("6.1.0-1-amd64\n")
    found = kernel.ready_kernel()
    assert found.release == "6.1.0-1-amd64" and found.image == folder / "vmlinuz"
    names = [path.stem for path in found.modules]
    assert names.index("videodev") < names.index("v4l2-tpg") < names.index("vivid")
    assert set(kernel.REQUIRED_MODULES) < set(names)
