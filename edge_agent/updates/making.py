"""Makes the update service of a node that has slots for software."""

from edge_agent.download import Throttle
from edge_agent.fetcher import Fetcher
from edge_agent.ground import Ground
from edge_agent.link import Link
from edge_agent.outputs.watch import OutputWatch
from edge_agent.player import Player
from edge_agent.protocol.updates import Release
from edge_agent.stage import Stage
from edge_agent.updates import fetch as bundles
from edge_agent.updates.gate import Signs
from edge_agent.updates.layout import Inbox, Opt
from edge_agent.updates.service import Updates


def updates_of(
    ground: Ground, *, fetcher: Fetcher, player: Player, stage: Stage, output: OutputWatch, link: Link
) -> Updates | None:
    """Make what changes the software of this node; None where there is no place for another."""
    options, keeper = ground.options, ground.keeper
    if options.slots is None:
        return None
    inbox = Inbox(options.state.update)

    def bring(release: Release, throttle: Throttle) -> None:
        ground.shelf.make_room(release.size, fetcher.needed())
        throttle.bytes_per_s = fetcher.bulk_rate
        download = bundles.over_https(ground.adoption.media_url, lambda: ground.tls(as_node=True), throttle)
        bundles.bring(inbox, release, download)

    return Updates(
        Opt(options.slots),
        inbox,
        ground.store,
        ground.faults,
        trusted=lambda: keeper.trust.keys,
        now=ground.now,
        knows_date=ground.knows_date,
        linked=lambda: link.connected,
        signs=lambda: Signs(
            rounds=player.rounds,
            calls=stage.renderer.calls,
            output=output.available,
            linked=link.connected,
            held=frozenset(keeper.held()),
            listens=frozenset(keeper.scopes),
        ),
        is_near=lambda within: bool(player.near(within)),
        is_busy=lambda: stage.is_busy,
        bring=bring,
        yields=fetcher.is_fetching,
        trial_s=options.trial_s,
    )
