"""Settings of the centre: environment ``LOA_*``, secrets also from files. Built once, handed down in parts."""

import re
from pathlib import Path
from typing import Annotated

from annotated_types import Ge, Gt, Le
from pydantic import field_validator
from pydantic_settings import BaseSettings, SettingsConfigDict

_CONTACT = re.compile(r"(mailto:|https://|tel:)[!-~]{3,200}")
Port = Annotated[int, Ge(0), Le(65_535)]


class Config(BaseSettings):
    """Everything that can be set. Defaults run a whole commune on one machine with no set-up."""

    model_config = SettingsConfigDict(env_prefix="LOA_", extra="ignore")

    state: Path = Path("/var/lib/loa")
    """Folder for database, media, keys and certificates."""
    database_url: str | None = None
    """SQLAlchemy URL with an async driver; SQLite in the state folder when not set."""
    host: str = "127.0.0.1"
    """Where the pages and the API listen. Beyond loopback, put a TLS proxy of your own before it."""
    port: Port = 8080
    node_host: str = "127.0.0.1"
    """Where broker and media listen for nodes, always with TLS."""
    media_port: Port = 8443
    broker_port: Port = 8883
    public_name: str = "localhost"
    """Name or address by which nodes reach this machine; written into certificates and adoptions."""
    pages_url: str | None = None
    """Where people find the pages, as https://loa.example.vn: new nodes show it as a QR code, with their claim code."""
    lead_ms: Annotated[int, Ge(0), Le(60_000)] = 1_500
    """"Now" means a common start this far ahead, so that neighbours start together."""
    plan_days: Annotated[int, Ge(1), Le(31)] = 7
    lease_days: Annotated[int, Ge(1), Le(31)] = 7
    tiles: Path | None = None
    """Pictures of the ground for the map: a file of the kind MBTiles (raster). The map works without them."""
    max_upload_bytes: Annotated[int, Gt(0)] = 200 * 1024 * 1024
    uploads_a_day: Annotated[int, Gt(0)] = 300
    """Of one person, within 24 hours…"""
    upload_bytes_a_day: Annotated[int, Gt(0)] = 4 * 1024 * 1024 * 1024
    """…and so many bytes: six hours of stereo WAV. A stolen session cannot fill the disk before somebody looks."""
    max_recording_minutes: Annotated[int, Gt(0)] = 60
    disk_reserve_bytes: Annotated[int, Ge(0)] = 256 * 1024 * 1024
    """Uploads are refused below this much free space, so that rows and receipts still fit."""
    evidence_days: Annotated[int, Ge(31)] = 731
    """Receipts are kept this long as nodes sent them; what became of each play is kept for good."""
    security_contact: str | None = None
    """Whom to tell of a hole in this installation (mailto:, https: or tel:), for ``/.well-known/security.txt``."""
    session_hours: Annotated[int, Gt(0)] = 12
    signer: Path | None = None
    """Socket of ``loa signer``; None: the centre signs itself. Apart, a yes takes the code of its person
    (decisions 0028, 0035)."""

    @field_validator("security_contact")
    @classmethod
    def _an_address(cls, given: str | None) -> str | None:
        if given is not None and not _CONTACT.fullmatch(given):
            raise ValueError("security_contact: an address such as mailto:loa@example.vn, without spaces")
        return given

    @property
    def database(self) -> str:
        """URL of the database."""
        return self.database_url or f"sqlite+aiosqlite:///{self.state / 'loa.db'}"

    @property
    def media(self) -> Path:
        """Folder of processed recordings, ``{sha256}.opus``."""
        return self.state / "media"

    @property
    def uploads(self) -> Path:
        """Folder of originals waiting for processing."""
        return self.state / "uploads"

    @property
    def scans(self) -> Path:
        """Folder of scans of signed papers, by their hash."""
        return self.state / "scans"

    @property
    def updates(self) -> Path:
        """Folder of bundles for nodes, ``{sha256}.bundle``."""
        return self.state / "updates"

    @property
    def keys(self) -> Path:
        """Folder of signing keys, epoch and the private certificate authority; not part of a backup."""
        return self.state / "keys"
