"""Cụm loa, their map and their faults."""

from playwright.async_api import Page, expect

from tests.screenshots.steps import sent, waiting_for
from tests.screenshots.table import Shot, Stage


async def unfold_filters(page: Page, stage: Stage) -> None:
    """See by what a list is narrowed."""
    await page.click("#filters > summary")


async def drawn(page: Page, stage: Stage) -> None:
    """Wait for the map."""
    await expect(page.locator("#map .spot").first).to_be_visible()


async def curves(page: Page, stage: Stage) -> None:
    """Wait for the curves."""
    await expect(page.locator(".curve canvas").first).to_be_visible()


async def month(page: Page, stage: Stage) -> None:
    """See the last month, with the days of which nothing is known, and its figures."""
    await page.click("a[href='?days=30']")
    await page.wait_for_url("**?days=30")
    await curves(page, stage)
    await page.locator("details[id^=figures-] > summary").first.click()


async def wrong_place(page: Page, stage: Stage) -> None:
    """Save a position that is none."""
    await page.fill("#latitude", "210,5")
    await page.click("form[action$='/position'] button:not([type=button])")
    await page.wait_for_selector("#wrong-latitude")


async def adopt(page: Page, stage: Stage) -> None:
    """Type a code that nobody has."""
    await page.click("#adopt > summary")
    await page.fill("#code", "ABCD-2345")
    await page.select_option("#area", index=1)
    await page.fill("#node-name", "Cụm mới")
    await page.click("#adopt button")
    await page.wait_for_selector("#wrong-code")


adopt_waits = sent("main form[method=post][action='/nodes']", "/nodes", code="ABCD-2345")
map_waits = waiting_for("/nodes/map.json")
save_waits = sent("form[action$='/settings']", "/settings")
seen_waits = sent("form[action^='/faults/']", "/faults/")


SHOTS = (
    Shot("nodes", "nodes", "/nodes", scene="week"),
    Shot("nodes", "nodes-empty", "/nodes", scene="bare", state="empty"),
    Shot("nodes", "nodes-filters", "/nodes", scene="week", steps=unfold_filters),
    Shot("nodes", "nodes-adopt", "/nodes", scene="week", state="error", steps=adopt),
    Shot("nodes", "node", "node", scene="week"),
    Shot("nodes", "node-lost", "lost_node", scene="week", state="error"),
    Shot("node_map", "map", "/nodes/map", scene="week", steps=drawn),
    Shot("node_map", "map-empty", "/nodes/map", scene="bare", state="empty"),
    Shot("node_health", "node-health", "node_health", scene="week", steps=curves),
    Shot("node_health", "node-month", "node_health", scene="week", steps=month),
    Shot("node_health", "node-health-empty", "lost_node_health", scene="week", state="empty"),
    Shot("node_health", "node-plays", "node_plays", scene="week"),
    Shot("node_health", "node-now", "node_now", scene="week"),
    Shot("node_settings", "node-settings", "node_settings", scene="week", state="pending"),
    Shot("node_settings", "node-settings-wrong", "node_settings", scene="week", state="error", steps=wrong_place),
    Shot("faults_list", "faults", "/faults", scene="week"),
    Shot("faults_list", "faults-empty", "/faults", scene="empty", state="empty"),
    Shot("nodes", "nodes-adopting", "/nodes", scene="week", state="loading", steps=adopt_waits),
    Shot("node_map", "map-coming", "/nodes/map", scene="week", state="loading", steps=map_waits),
    Shot("node_settings", "node-settings-saving", "node_settings", scene="week", state="loading", steps=save_waits),
    Shot("faults_list", "faults-seen", "/faults", scene="week", state="loading", steps=seen_waits),
    Shot("nodes", "nodes-operator", "/nodes", scene="week", login="operator"),
    Shot("nodes", "node-operator", "node", scene="week", login="operator"),
    Shot("nodes", "nodes-technician", "/nodes", scene="week", login="technician"),
    Shot("nodes", "node-technician", "node", scene="week", login="technician"),
    Shot("nodes", "node-lost-technician", "lost_node", scene="week", login="technician"),
    Shot("node_settings", "node-settings-technician", "node_settings", scene="week", login="technician"),
    Shot("node_settings", "node-settings-operator", "node_settings", scene="week", login="operator"),
    Shot("faults_list", "faults-technician", "/faults", scene="week", login="technician"),
    Shot("nodes", "node-helper", "node", scene="week", login="helper"),
)
