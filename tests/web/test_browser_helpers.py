"""What the tests with a browser rest on: taps are counted as a hand makes them, a slow link is slow, sound is heard."""

import re
import time
import wave
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from tests.web.browser import KBIT, LOOK_COOKIE, Link, chromium, hearing, page_of, slow_down, speak, taps, use_look
from tests.web.harness import commune

LOUDEST = """async () => {
  const stream = await navigator.mediaDevices.getUserMedia({audio: true});
  const context = new AudioContext(), analyser = context.createAnalyser(), levels = new Float32Array(analyser.fftSize);
  context.createMediaStreamSource(stream).connect(analyser);
  let loudest = 0;
  for (let round = 0; round < 200 && loudest < 0.2; round++) {
    await new Promise(requestAnimationFrame);
    analyser.getFloatTimeDomainData(levels);
    loudest = Math.max(loudest, ...levels.map(Math.abs));
  }
  stream.getTracks().forEach((track) => track.stop());
  await context.close();
  return loudest;
}"""


@pytest.fixture
async def site(tmp_path: Path) -> AsyncIterator[str]:
    async with commune(tmp_path) as opened:
        yield opened.url


def tone(path: Path) -> Path:
    """A second of a square wave at half of full scale."""
    with wave.open(str(path), "wb") as file:
        file.setparams((1, 2, 48_000, 0, "NONE", ""))
        file.writeframes(
            b"".join((16_000 if (at // 54) % 2 else -16_000).to_bytes(2, "little", signed=True) for at in range(48_000))
        )
    return path


async def test_a_hand_is_counted_over_pages_and_a_script_is_not(site: str, tmp_path: Path) -> None:
    """And the microphone may be asked for, and hears the file; and a slow link takes its time."""
    async with chromium(*hearing(tone(tmp_path / "tone.wav"))) as browser, page_of(browser, site) as page:
        await speak(page, "en")
        async with taps(page) as counted:
            await page.click("nav a[href='/nodes']")
            await page.wait_for_url("**/nodes")
            await page.evaluate("document.body.click()")
            await page.keyboard.press("Tab")
            await page.mouse.click(1, 1)
        assert (counted.taps, counted.keys) == (2, 1)

        async with page.expect_request("**/today") as asked:
            await use_look(page, "large")
            await page.goto("/today")
        assert f"{LOOK_COOKIE}=large" in (await (await asked.value).all_headers())["cookie"]

        assert await page.evaluate(LOUDEST) > 0.2

        await slow_down(page, Link(400 * KBIT, 400 * KBIT, 300))
        began = time.monotonic()
        await page.goto("/say")
        assert time.monotonic() - began > 0.6  # two ways at least: the page, then what it names


def test_what_a_page_is_waited_for_is_a_function() -> None:
    """Any other expression is let through once, and from the second look on refused by the page's own policy."""
    waits = [
        (path.name, wait)
        for path in Path(__file__).parents[1].rglob("*.py")
        for wait in re.findall(r"wait_for_function\(f?\"(.*)", path.read_text("utf-8"))
    ]
    assert len(waits) > 5
    assert [each for each in waits if "=>" not in each[1]] == []
