"""The guest's initramfs: busybox, kernel modules, and the mount of the host's root."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

from vm.kernel import Kernel

ROOT_TAG, EXCHANGE_TAG = "hostroot", "exchange"
EXCHANGE_DIR = "/run/exchange"  # in the guest

_INIT = """#!/bin/sh
export PATH=/bin
mount -t proc proc /proc
mount -t sysfs sys /sys
mount -t devtmpfs dev /dev
for module in $(cat /order); do
  insmod $module || echo "guest: $module does not load"
done
options=trans=virtio,version=9p2000.L,msize=512000
mount -t 9p -o ro,cache=loose,$options {root} /host || echo "guest: the host's root cannot be mounted"
mount -t tmpfs -o size=2g scratch /scratch
mkdir -p /scratch/upper /scratch/work
mount -t overlay -o lowerdir=/host,upperdir=/scratch/upper,workdir=/scratch/work overlay /guest
rm -rf /guest/lib/modules
mkdir -p /guest/lib/modules
cp -a /lib/modules/* /guest/lib/modules/
mount -t tmpfs run /guest/run
mkdir -p /guest{exchange}
mount -t 9p -o cache=none,$options {tag} /guest{exchange} || echo "guest: no exchange folder"
mount --move /proc /guest/proc
mount --move /sys /guest/sys
mount --move /dev /guest/dev
mkdir -p /guest/dev/shm /guest/dev/pts
mount -t tmpfs shm /guest/dev/shm
mount -t devpts pts /guest/dev/pts
ifconfig lo up
chroot /guest /bin/sh {exchange}/start
echo "guest: stopped"
sync
poweroff -f
"""


def write_initramfs(kernel: Kernel, path: Path, *, work_dir: Path) -> None:
    """Write the archive that the kernel unpacks and whose /init it runs.

    Args:
        kernel: Supplies the modules.
        path: The archive to write.
        work_dir: An empty folder for the archive's files.
    """
    for folder in ("bin", "proc", "sys", "dev", "host", "scratch", "guest", "lib"):
        (work_dir / folder).mkdir(parents=True)
    busybox = shutil.which("busybox")
    assert busybox is not None
    shutil.copy(busybox, work_dir / "bin" / "busybox")
    applets = subprocess.run([busybox, "--list"], capture_output=True, text=True, check=True).stdout.split()
    for applet in applets:
        if applet != "busybox":
            (work_dir / "bin" / applet).symlink_to("busybox")
    shutil.copytree(kernel.folder / "lib" / "modules", work_dir / "lib" / "modules")
    at_boot = [module for module in kernel.modules if module.name.partition(".")[0] not in ("vivid", "v4l2loopback")]
    (work_dir / "order").write_text("\n".join("/" + str(m.relative_to(kernel.folder)) for m in at_boot) + "\n")
    init = work_dir / "init"
    init.write_text(_INIT.format(root=ROOT_TAG, tag=EXCHANGE_TAG, exchange=EXCHANGE_DIR))
    init.chmod(0o755)
    names = "\n".join(sorted(str(file.relative_to(work_dir)) for file in work_dir.rglob("*"))) + "\n"
    with path.open("wb") as archive:
        pack = [busybox, "cpio", "-o", "-H", "newc"]
        subprocess.run(pack, cwd=work_dir, input=names.encode(), stdout=archive, stderr=subprocess.DEVNULL, check=True)
