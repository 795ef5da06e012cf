"""Help: each page leads to a topic, each topic is there in both languages, and nothing in it runs."""

import re
from pathlib import Path

import pytest

from tests.web.harness import Commune, visitor
from web.help.prose import read
from web.help.topics import ORDER, topics
from web.i18n import LOCALES, Plural, load
from web.pages.help_pages import FOR_ALL

TEMPLATES = Path(__file__).resolve().parents[3] / "web" / "templates"
PAGES = {
    path.name: path.read_text("utf-8")
    for path in sorted(TEMPLATES.glob("*.html"))
    if re.search(r'extends "(?:signed_in|emergency_frame|list)\.html"', path.read_text("utf-8"))
    and path.name != "list.html"
}
OF_HELP = {"help.html", "help_topic.html"}
"""Pages that are help themselves."""


def topic_of(source: str) -> str:
    found = re.search(r"\{% block help %\}([\w-]*)\{% endblock %\}", source)
    return found[1] if found else ""


@pytest.mark.parametrize("name", [name for name, source in PAGES.items() if topic_of(source)])
def test_a_page_leads_to_a_topic_that_is_there_in_both_languages(name: str) -> None:
    assert all(topic_of(PAGES[name]) in topics(locale) for locale in LOCALES)


def test_every_page_names_its_topic() -> None:
    assert [name for name, source in PAGES.items() if not _named(name, source)] == []


def _named(name: str, source: str) -> bool:
    """A page of an emergency has the topic of its frame."""
    return name in OF_HELP or bool(topic_of(source)) or 'extends "emergency_frame.html"' in source


def test_every_topic_is_there_in_both_languages_and_has_its_place() -> None:
    """The same headings stand in both, so that neither tells less than the other."""
    vietnamese, english = (topics(locale) for locale in LOCALES)
    assert list(vietnamese) == list(english)
    assert len(ORDER) == len(set(ORDER))
    for name, prose in vietnamese.items():
        kinds = [[kind for kind, _ in each.parts() if kind == "heading"] for each in (prose, english[name])]
        assert len(kinds[0]) == len(kinds[1]), name
        assert prose.pictures() == english[name].pictures(), name


def on_pages(locale: str) -> list[str]:
    """Give what pages say, with … for what they fill in."""
    found = load(locale).texts.values()
    forms = [form for text in found for form in ((text.one, text.other) if isinstance(text, Plural) else (text,))]
    return [re.sub(r"\s*\{\w+\}", "…", form) for form in forms]


@pytest.mark.parametrize("locale", LOCALES)
def test_what_help_names_in_bold_stands_so_on_a_page(locale: str) -> None:
    """With a capital it is what a page says, or how that begins; a small letter or a whole sentence is emphasis."""
    said = on_pages(locale)
    named = {
        (name, re.sub(r"\s*…", "…", " ".join(bold.split())))
        for name, prose in topics(locale).items()
        for bold in re.findall(r"\*\*(.+?)\*\*", prose.source, re.DOTALL)
        if bold[0].isupper() and not bold.endswith(".")
    }
    assert len(named) > 50
    nowhere = [each for each in named if not any(re.match(re.escape(each[1]) + r"(?!\w)", one) for one in said)]
    assert sorted(nowhere) == []


@pytest.mark.parametrize("name", sorted(topics("vi")))
def test_help_speaks_no_jargon(name: str) -> None:
    prose = topics("vi")[name]
    jargon = r"\b(?:server|upload|node|offline|online|error|click|MQTT|broker|file)\b"
    assert re.findall(jargon, prose.title + prose.source, re.IGNORECASE) == []


def test_the_little_markup_becomes_what_it_says() -> None:
    prose = read(
        "# Một\n\nHai **ba**\nbốn.\n\n- năm\n  sáu\n- bảy\n\n## Tám\n1. chín\n2. mười\n\n![Hình](today-phone-vi)\n"
    )
    assert prose.title == "Một"
    assert prose.html() == (
        "<p>Hai <b>ba</b> bốn.</p>\n<ul><li>năm sáu</li><li>bảy</li></ul>\n<h2>Tám</h2>\n"
        "<ol><li>chín</li><li>mười</li></ol>"
    )
    assert prose.pictures() == ["today-phone-vi"]


@pytest.mark.parametrize("planted", ["<script>x</script>", "**<img src=x>**", "- {0} & <b>", "## <i>", "1. \"'<"])
def test_nothing_in_a_text_is_taken_for_html(planted: str) -> None:
    found = re.sub(r"</?(?:p|b|h2|ul|ol|li)>", "", str(read(f"# T\n\n{planted}\n").html()))
    assert "<" not in found


def test_a_text_without_a_title_is_refused() -> None:
    with pytest.raises(ValueError, match="title"):
        read("Không có tên\n")


async def test_help_is_a_page_of_its_own_in_the_readers_language(site: Commune) -> None:
    async with visitor(site) as client:
        page = (await client.get("/help")).text
        assert [name for name in topics("vi") if f'href="/help/{name}"' not in page] == []
        for name, prose in topics("vi").items():
            answer = await client.get(f"/help/{name}")
            assert answer.status_code == 200
            assert f"<h1>{prose.title}</h1>" in answer.text
        assert 'href="/help/today"' in (await client.get("/today")).text
        assert (await client.get("/help/nothing")).status_code == 404
        await client.post("/language", data={"locale": "en", "next": "/help"})
        assert topics("en")["today"].title in (await client.get("/help/today")).text


async def test_who_cannot_sign_in_reads_how_to_and_nothing_else(site: Commune) -> None:
    async with visitor(site, signed_in=False) as client:
        assert 'href="/help/sign-in"' in (await client.get("/sign-in")).text
        assert "Quên mật khẩu" in (await client.get("/help/sign-in")).text
        assert frozenset({"sign-in"}) == FOR_ALL
        for name in ("today", "stop"):
            assert (await client.get(f"/help/{name}")).headers["location"].startswith("/sign-in?next=/help/")
