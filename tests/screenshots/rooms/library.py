"""Bản tin, Tệp âm thanh, Chương trình."""

from playwright.async_api import Page, expect

from controller.bulletins.schemas import BulletinChange, BulletinIn, VersionSeen
from tests.screenshots.steps import refused, sent
from tests.screenshots.table import Shot, Stage


async def split(page: Page, stage: Stage) -> None:
    """Keep two pieces."""
    await expect(page.locator("#cut[data-ready]")).to_be_attached()
    await page.fill("#from-0", "0:12.5")
    await page.fill("#until-0", "2:05")
    await page.locator("#title").focus()


async def cut_nothing(page: Page, stage: Stage) -> None:
    """Ask for a cut that is none."""
    await page.click("#cut button.main")
    await expect(page.locator("#cut-wrong")).to_be_visible()


async def save_nothing(page: Page, stage: Stage) -> None:
    """Save an empty bulletin."""
    await page.click("#bulletin .send .main")
    await expect(page.locator("main .notice[role=alert]").first).to_be_visible()


async def unfold_offer(page: Page, stage: Stage) -> None:
    """Look at until when it is offered, and what taking it back does."""
    for each in ("#offer > summary", "#end-offer > summary"):
        await page.click(each)


async def no_day(page: Page, stage: Stage) -> None:
    """Offer it until a day that is none."""
    await page.click("#offer > summary")
    await page.fill("#until", "hôm qua")
    await page.click("#offer button")
    await expect(page.locator("main .notice[role=alert]").first).to_be_visible()


async def unfold_place(page: Page, stage: Stage) -> None:
    """Look for a programme to put it in."""
    await page.click("#place > summary")


async def change_meanwhile(page: Page, stage: Stage) -> None:
    """Have somebody else change a bulletin while it is read."""
    bulletins, actor = stage.site.centre.services.bulletins, stage.site.centre.actor
    voices = [
        {"language": "vi", "text": "Sáng mai từ 8 giờ đến 11 giờ mất nước ở thôn Đồng. Bà con trữ nước từ tối nay."}
    ]
    said = {"title": "Mất nước sáng mai ở thôn Đồng", "voices": voices}
    made = await bulletins.create(actor, BulletinIn.model_validate({"area_id": stage.site.root.id, **said}))
    sent_in = await bulletins.submit(actor, made.id, VersionSeen(version=made.version))
    await page.goto(f"/bulletins/{made.id}")
    other = {
        "version": sent_in.version,
        "title": made.title,
        "voices": [{"language": "vi", "text": "Mất nước cả ngày."}],
    }
    await bulletins.change(actor, made.id, BulletinChange.model_validate(other))
    await expect(page.locator("#bulletin-state .notice")).to_be_visible()


save_waits = sent("#bulletin", "/bulletins/new", title="Phòng rét cho trâu bò")
cut_waits = sent("#cut", "/cut", title="Bản tin xã, phần đầu")
make_nothing = refused("main form[method=post][action='/programmes']", title="")
make_waits = sent("main form[method=post][action='/programmes']", "/programmes", title="Chương trình trưa")


SHOTS = (
    Shot("bulletins", "bulletins", "/bulletins", scene="week"),
    Shot("bulletins", "bulletins-empty", "/bulletins", scene="empty", state="empty"),
    Shot("bulletins", "bulletins-not-found", "/bulletins?q=khong+co&state=draft", scene="week", state="empty"),
    Shot("bulletins", "bulletin", "bulletin", scene="week"),
    Shot("versions", "bulletin-versions", "bulletin-versions", scene="week"),
    Shot("versions", "bulletin-version", "bulletin-version", scene="week"),
    Shot("bulletins", "bulletin-form", "/bulletins/new", scene="week"),
    Shot("bulletins", "bulletin-wrong", "/bulletins/new", scene="empty", state="error", steps=save_nothing),
    Shot("recordings", "recordings", "/recordings", scene="week", state="long"),
    Shot("recordings", "recordings-empty", "/recordings", scene="empty", state="empty"),
    Shot("recordings", "recording", "recording", scene="week"),
    Shot("recordings", "recording-cut", "recording-cut", scene="week", steps=split),
    Shot("recordings", "recording-cut-wrong", "recording-cut", scene="week", state="error", steps=cut_nothing),
    Shot("programmes", "programmes", "/programmes", scene="week"),
    Shot("programmes", "programmes-empty", "/programmes", scene="empty", state="empty"),
    Shot("programmes", "programme", "programme-morning", scene="week", state="long"),
    Shot("programmes", "programme-template", "template", scene="week"),
    Shot("programmes", "programme-airable", "programme", scene="week"),
    Shot("bulletins", "bulletin-saving", "/bulletins/new", scene="week", state="loading", steps=save_waits),
    Shot("recordings", "recording-cutting", "recording-cut", scene="week", state="loading", steps=cut_waits),
    Shot("programmes", "programme-new-wrong", "/programmes", scene="week", state="error", steps=make_nothing),
    Shot("programmes", "programme-making", "/programmes", scene="week", state="loading", steps=make_waits),
    Shot("bulletins", "bulletin-older", "/bulletins", scene="empty", state="pending", steps=change_meanwhile),
    Shot("bulletins", "bulletins-operator", "/bulletins", scene="week", login="operator"),
    Shot("bulletins", "bulletins-approver", "bulletin", scene="week", login="approver"),
    Shot("bulletins", "bulletin-offered", "offered-bulletin", scene="province", steps=unfold_offer),
    Shot("bulletins", "bulletin-offer-wrong", "offered-bulletin", scene="province", state="error", steps=no_day),
    Shot("bulletins", "bulletins-from-above", "/bulletins", scene="province", login="operator"),
    Shot("bulletins", "bulletin-place", "offered-bulletin", scene="province", login="operator", steps=unfold_place),
    Shot("programmes", "programme-bring", "programme-bring", scene="province", login="operator"),
    Shot("programmes", "programme-whose", "programme-whose", scene="province", login="operator"),
    Shot("recordings", "recordings-operator", "/recordings", scene="week", login="operator"),
)
