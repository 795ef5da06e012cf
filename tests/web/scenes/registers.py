"""What stands in the registers: telephones, machines' keys, a rollout that went wrong on one node."""

from collections.abc import Mapping
from datetime import timedelta

from controller.ids import new_id
from controller.updates.models import Release, Rollout, RolloutNode
from tests.web.harness import Commune

STATES = {"Nhà văn hóa thôn Đồng": "good", "Đầu làng Trại": "trying", "Cổng chợ Trại": "returned"}
LONG = "Nguyễn Phước Công Tằng Tôn Nữ Hoàng Thị Thanh Hương"


async def rollout(site: Commune, states: Mapping[str, str] = STATES) -> str:
    """Begin a rollout with nodes that are so far; gives its id."""
    now, key = site.centre.clock(), new_id()
    later = now + timedelta(days=90)
    release = Release(
        id=new_id(),
        release=7,
        version="0.2.0",
        board="arm64",
        python="3.11",
        bytes=3 * 2**20,
        sha256=new_id() * 2,
        token="a.b.c",
        key_id="0" * 16,
        signed_at=now,
        expires_at=later,
        added_at=now,
    )
    row = Rollout(
        id=key,
        release=7,
        version="0.2.0",
        scopes=[site.root.scope],
        area_id=site.root.id,
        waves=["1", "100%"],
        soak_s=0,
        error_percent=5,
        total=len(states),
        state="running",
        wave=0,
        wave_since_at=now,
        expires_at=later,
        created_at=now,
    )
    async with site.centre.database.transaction() as tx:
        tx.session.add(release)
        tx.session.add(row)
        await tx.session.flush()
        for name, state in states.items():
            node_id = site.nodes[name].id
            tx.session.add(RolloutNode(rollout_id=key, node_id=node_id, state=state, state_at=now, commands=[]))
    return key


async def kept(site: Commune) -> dict[str, str]:
    """Fill the registers; gives pages by name."""
    services, actor = site.centre.services, site.centre.actor
    await services.accounts.set_phone(actor, "0912 345 678")
    long = await site.centre.somebody("thanh.huong", "helper", site.hamlets["Tổ dân phố số 12, thị trấn Hương Sơn"])
    await services.accounts.change(actor, long.id, name=LONG, phone="0987 654 321")
    expires_at = site.centre.clock() + timedelta(days=30)
    await services.tokens.make(actor, name="Bảng tin điện tử của xã", acts=("holds.order",), expires_at=expires_at)
    hamlet, empty = site.hamlets["Thôn Trại"], await site.centre.area("Thôn gõ nhầm", site.root)
    return {
        "rollout": f"/updates/{await rollout(site)}",
        "place": f"/places/{site.root.id}",
        "hamlet": f"/places/{hamlet.id}",
        "remove": f"/places/{empty.id}/remove",
        "in-use": f"/places/{hamlet.id}/remove",
        "merge": f"/places/merge?into={hamlet.id}",
    }
