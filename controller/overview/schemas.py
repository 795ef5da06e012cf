"""How all nodes in sight stand, as the API and the pages show it."""

from pydantic import AwareDatetime, BaseModel, ConfigDict

from controller.nodes.rules import NodeStatus


class NodeBrief(BaseModel):
    """One node, in few words."""

    model_config = ConfigDict(frozen=True)

    id: str
    name: str
    area_id: str
    status: NodeStatus
    since_at: AwareDatetime | None
    """Since when it stands so, or the oldest of its faults; None: not known."""
    faults: tuple[str, ...] = ()
    """Codes of what is wrong with it by its own word, while it is heard from."""
    looked_after: tuple[str, ...] = ()
    """Codes of what was acknowledged, ``offline`` among them."""


class Those(BaseModel):
    """Several nodes that have something in common: how many, and the first of them by name."""

    model_config = ConfigDict(frozen=True)

    count: int = 0
    since_at: AwareDatetime | None = None
    """The oldest of them; None: not known."""
    first: tuple[NodeBrief, ...] = ()
    """The oldest ones first, ``service.MOST_NAMED`` at most."""


class FaultCount(Those):
    """One fault, with all nodes that have it and that nobody looks after."""

    code: str


class AreaCount(BaseModel):
    """The nodes that stand in one area itself: those below it have a row of their own."""

    model_config = ConfigDict(frozen=True)

    area_id: str
    total: int
    by_status: dict[NodeStatus, int]
    unwell: int
    """Not heard from or with a fault, whether somebody looks after it or not."""


class SoundingOut(BaseModel):
    """What nodes themselves say that they play; one that is lost says nothing."""

    model_config = ConfigDict(frozen=True)

    broadcast_id: str
    title: str | None
    """None when the broadcast is not one of ours."""
    nodes: int
    ends_at: AwareDatetime
    """The latest end that any of them gave."""
    simulated: bool
    """All of them play to a virtual output."""
    node_id: str
    """One of them."""


class Overview(BaseModel):
    """How all nodes in sight stand. Made for every page: it costs what changed, and not what there is."""

    model_config = ConfigDict(frozen=True)

    total: int
    by_status: dict[NodeStatus, int]
    areas: tuple[AreaCount, ...]
    """By id; areas without a node are left out."""
    unwell: tuple[NodeBrief, ...]
    """At most ``service.MOST_UNWELL``, worst first: nobody looks after it, lost, the longest."""
    lost: Those
    """Not heard from, and nobody looks after it."""
    faults: tuple[FaultCount, ...]
    """What most nodes have first."""
    looked_after: Those
    """What is wrong with them was acknowledged."""
    sounding: tuple[SoundingOut, ...]
    """What most nodes play first."""
