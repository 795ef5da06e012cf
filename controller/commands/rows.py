"""What commands share that work on the rows beside a running centre: the services, and whom or what was named."""

import asyncio
import logging
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass

from sqlalchemy import select

from controller.areas.models import Area
from controller.clock import system_clock
from controller.config import Config
from controller.db import Database
from controller.enrolments.authority import IssuedCertificate
from controller.errors import BusyError, LoaError
from controller.events import EventBus
from controller.migrations.upgrade import upgrade
from controller.nodes.models import Node
from controller.people.repository import by_login
from controller.services import Services, build_services
from controller.signing.remote import RemoteKeys, Wire
from controller.wire.keys import load_keys
from edge_agent.protocol.documents import TrustedKey

_log = logging.getLogger(__name__)


class NothingThereError(LoaError):
    """There is no database in the state folder."""

    code = "nothing_there"


class NotHereError(LoaError):
    """A node was to be certified where no centre runs."""

    code = "not_here"


class UnknownError(LoaError):
    """Nobody has this login, or no area or node this name."""

    code = "unknown"


@dataclass(frozen=True)
class _NoAuthority:
    """Commands adopt no nodes: that is for the centre itself, which holds the certificates."""

    trusted_keys: tuple[TrustedKey, ...]
    ca_pem: str = ""

    def issue_node_certificate(self, csr_pem: str, node_id: str) -> IssuedCertificate:  # noqa: ARG002 - as the centre's
        """Refuse.

        Raises:
            NotHereError: always.
        """
        raise NotHereError(f"node {node_id} is certified by the running centre alone: adopt it there")


@asynccontextmanager
async def opened(config: Config, *, may_be_new: bool = False) -> AsyncIterator[Services]:
    """Open the rows, brought up to date, for the length of the block.

    ``may_be_new``: make them if there are none; no other command makes an empty centre by a slip.

    Raises:
        NothingThereError: the state folder holds no database.
    """
    if may_be_new:
        config.state.mkdir(parents=True, exist_ok=True, mode=0o700)
    elif config.database_url is None and not (config.state / "loa.db").is_file():
        raise NothingThereError(f"{config.state} holds no database; give --state")
    bus = EventBus()
    database = Database(config.database, bus)
    try:
        await upgrade(database)
        authority = _NoAuthority(await asyncio.to_thread(_trusted, config))
        yield build_services(config, database, bus, system_clock, authority)
    finally:
        await database.close()


def _trusted(config: Config) -> tuple[TrustedKey, ...]:
    """Give the public halves of the keys, from whoever has them; none, if that is a signer that does not answer.

    Where it stands apart no keys are made here: no node would know them.
    """
    if config.signer is None:
        return load_keys(config.keys).trusted
    wire = Wire(config.signer)
    try:
        return RemoteKeys(wire).trusted
    except BusyError as error:
        _log.warning("%s; this goes on as if there were no keys", error.message)
        return ()
    finally:
        wire.close()


async def person_named(database: Database, login: str) -> str:
    """Give the id of somebody.

    Raises:
        UnknownError: nobody has this login.
    """
    typed = login.strip().casefold()
    async with database.reading() as session:
        person = await by_login(session, typed)
    if person is None:
        raise UnknownError(f"nobody has the login {typed!r}; see: loa person list")
    return person.id


async def area_names(database: Database) -> dict[str, str]:
    """Give the names of all areas by id."""
    async with database.reading() as session:
        return dict((await session.execute(select(Area.id, Area.name))).all())


async def area_named(database: Database, wanted: str) -> str:
    """Give the id of an area by its id, or by a name that only one has.

    Raises:
        UnknownError: there is none, or several.
    """
    found = [area_id for area_id, name in (await area_names(database)).items() if wanted in {area_id, name}]
    if len(found) != 1:
        problem = "there is no area" if not found else f"{len(found)} areas are"
        raise UnknownError(f"{problem} called {wanted!r}; give the id of one")
    return found[0]


async def node_named(database: Database, wanted: str) -> str:
    """Give the id of a node by its id, or by a name that only one has; of those that are gone, only when none is there.

    Raises:
        UnknownError: there is none, or several.
    """
    async with database.reading() as session:
        rows = (await session.execute(select(Node.id, Node.name, Node.removed_at, Node.revoked_at))).all()
    called = [row for row in rows if wanted in {row.id, row.name}]
    here = [row for row in called if row.removed_at is None]
    found = here or [row for row in called if row.revoked_at is not None]
    if len(found) != 1:
        problem = "there is no node" if not found else f"{len(found)} nodes are"
        raise UnknownError(f"{problem} called {wanted!r}; give the id of one; see: loa fleet")
    return str(found[0].id)
