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

DATA_MB = 128
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


def prepare(folder: Path, *, data_mb: int = DATA_MB) -> "Card":
    """Build the package, make the image of a stock system, and a node's of it."""
    package = run(ROOT / "deploy" / "debian" / "build").strip()
    card = Card(folder, folder / "node.img")
    _stock(card)
    options = ("--rtc", "ds3231", "--sound", "virtual")
    run("env", f"LOA_DATA_MB={data_mb}", ROOT / "deploy" / "image" / "card", *options, card.image, package)
    return card


def _stock(card: "Card") -> None:
    """Make an image as one comes from the makers of a system: a boot partition and a root, here Debian's."""
    root, boot = card.folder / "stock", card.folder / "stock-boot"
    boot.mkdir()
    debian("node", f"{SYSTEM},libportaudio2,chrony", root)
    (root / "boot" / "firmware").mkdir(exist_ok=True)
    (root / "etc" / "fstab").write_text(STOCK_FSTAB)
    (boot / "cmdline.txt").write_text(STOCK_CMDLINE)
    (boot / "config.txt").write_text(STOCK_CONFIG)
    used = run("du", "--summarize", "--block-size=M", root).split("M", maxsplit=1)[0]
    sizes = {boot: 64, root: int(used) * 5 // 4 + 192}
    run("truncate", f"--size={sum(sizes.values()) + 2}M", card.image)
    lines = "".join(f",{size}M\n" for size in sizes.values())
    subprocess.run(["sfdisk", "--quiet", card.image], input=f"label: dos\n{lines}", text=True, check=True)
    for tree, (start, _) in zip(sizes, card.partitions(), strict=True):
        run("mke2fs", "-q", "-t", "ext4", "-d", tree, "-E", f"offset={start}", card.image, f"{sizes[tree]}M")
        shutil.rmtree(tree)


class Card:
    """The node's card: its three partitions, mounted as the node mounts them."""

    def __init__(self, folder: Path, image: Path) -> None:
        self.folder, self.image = folder, image
        self.boot, self.root, self.data = folder / "boot", folder / "root", folder / "data"

    def partitions(self) -> list[tuple[int, int]]:
        """Give place and size of each, in bytes."""
        table = json.loads(run("sfdisk", "--json", self.image))["partitiontable"]["partitions"]
        return [(row["start"] * 512, row["size"] * 512) for row in table]

    @contextmanager
    def mounted(self) -> Iterator[None]:
        """Mount them for the length of the block; the boot partition so that a person could write to it."""
        ways = {self.boot: "rw", self.root: "ro,noatime", self.data: f"rw,{DATA_OPTIONS}"}
        with ExitStack() as stack:
            for (place, options), (start, size) in zip(ways.items(), self.partitions(), strict=True):
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
