"""A node's card: the image of a stock system, made a node's by the recipe, its partitions mounted as the node does.

The one for the firmware is ext4, for want of FAT in every kernel.
"""

import json
import shutil
import subprocess
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

from tests.box.machine import ROOT, SYSTEM, debian, run

ROOM_MB = 540
"""On a stock root, as its makers leave it: a fifth of what is there and 200 MB more, of a system of 1.7 GB."""
DATA_OPTIONS = "noatime,nosuid,nodev,data=ordered,commit=30,errors=remount-ro"
STOCK_FSTAB = """\
proc            /proc           proc    defaults          0       0
PARTUUID=4a2f1b3c-01  /boot/firmware  vfat    defaults          0       2
/dev/root             /               ext4    defaults,noatime  0       1
"""
STOCK_CMDLINE = (
    "console=serial0,115200 console=tty1 root=PARTUUID=4a2f1b3c-02 rootfstype=ext4 fsck.repair=yes rootwait quiet"
    " init=/usr/lib/raspberrypi-sys-mods/firstboot splash plymouth.ignore-serial-consoles\n"
)
STOCK_CONFIG = "dtparam=audio=on\ncamera_auto_detect=1\ndtoverlay=vc4-kms-v3d\n\n[all]\n"


def prepare(folder: Path, package: Path) -> Path:
    """Make the image of a stock system, and a node's of it."""
    image = folder / "node.img"
    _stock(folder, image)
    run(ROOT / "deploy" / "image" / "card", "--rtc", "ds3231", "--sound", "virtual", image, package)
    return image


def partitions(image: Path) -> list[tuple[int, int]]:
    """Give place and size of each, in bytes."""
    table = json.loads(run("sfdisk", "--json", image))["partitiontable"]["partitions"]
    return [(row["start"] * 512, row["size"] * 512) for row in table]


def _stock(folder: Path, image: Path) -> None:
    """Make an image as one comes from the makers of a system: a boot partition and a root, here Debian's."""
    root, boot = folder / "stock", folder / "stock-boot"
    boot.mkdir()
    debian("node", f"{SYSTEM},libportaudio2,chrony", root)
    (root / "boot" / "firmware").mkdir(exist_ok=True)
    (root / "etc" / "fstab").write_text(STOCK_FSTAB)
    (boot / "cmdline.txt").write_text(STOCK_CMDLINE)
    (boot / "config.txt").write_text(STOCK_CONFIG)
    used = run("du", "--summarize", "--block-size=M", root).split("M", maxsplit=1)[0]
    sizes = {boot: 64, root: int(used) + ROOM_MB}
    run("truncate", f"--size={sum(sizes.values()) + 2}M", image)
    lines = "".join(f",{size}M\n" for size in sizes.values())
    subprocess.run(["sfdisk", "--quiet", image], input=f"label: dos\n{lines}", text=True, check=True)
    for tree, (start, _) in zip(sizes, partitions(image), strict=True):
        run("mke2fs", "-q", "-t", "ext4", "-d", tree, "-E", f"offset={start}", image, f"{sizes[tree]}M")
        shutil.rmtree(tree)


class Card:
    """The node's card: its three partitions, mounted as the node mounts them."""

    def __init__(self, folder: Path, image: Path) -> None:
        self.folder, self.image = folder, image
        self.boot, self.root, self.data = folder / "boot", folder / "root", folder / "data"

    @classmethod
    def write(cls, image: Path, folder: Path) -> "Card":
        """Write an image to a card."""
        run("cp", "--sparse=always", image, folder / "node.img")
        return cls(folder, folder / "node.img")

    @contextmanager
    def mounted(self) -> Iterator[None]:
        """Mount them for the length of the block; the boot partition so that a person could write to it."""
        ways = {self.boot: "rw", self.root: "ro,noatime", self.data: f"rw,{DATA_OPTIONS}"}
        with ExitStack() as stack:
            for (place, options), (start, size) in zip(ways.items(), partitions(self.image), strict=True):
                place.mkdir(exist_ok=True)
                # Not by `mount -o loop,ro`: a card takes writes, it is mounted read-only.
                where = (f"--offset={start}", f"--sizelimit={size}")
                device = run("losetup", "--find", "--show", *where, self.image).strip()
                stack.callback(run, "losetup", "--detach", device)
                run("mount", "-t", "ext4", "-o", options, device, place)
                stack.callback(run, "umount", place)
            yield

    def binds(self) -> tuple[str, str]:
        """Say where boot and data partition belong."""
        return f"--bind-ro={self.boot}:/boot/firmware", f"--bind={self.data}:/data"
