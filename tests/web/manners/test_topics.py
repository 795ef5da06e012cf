"""What pages listen for is what the centre tells."""

import re

from controller.events import Topic
from tests.web.manners.test_double_tap import TEMPLATES
from tests.web.manners.test_many import LISTS
from web.joined import STATIC

INSIDE = {Topic.REVOCATION, Topic.DOCUMENTS}
"""Of the centre alone, see ``events.Topic``."""
HEARD = {str(topic) for topic in Topic if topic not in INSIDE}


def test_a_page_hears_every_topic_of_the_centre_and_no_other() -> None:
    script = (STATIC / "js" / "live.js").read_text("utf-8")
    [topics] = re.findall(r"const TOPICS = \[(.*?)\]", script, re.DOTALL)
    assert sorted(re.findall(r'"(\w+)"', topics)) == sorted(HEARD)


def test_what_a_part_of_a_page_wants_to_hear_is_told() -> None:
    wanted = {
        topic
        for path in TEMPLATES.glob("*.html")
        for said in re.findall(r'data-live="([^"{]*)"|parts\.live\([^)]*?, "([a-z* ]+)"', path.read_text("utf-8"))
        for topic in " ".join(said).replace("*", "").split()
    }
    wanted |= {topic for each in LISTS for topic in each.live.topics.replace("*", "").split()}
    assert len(wanted) > 10
    assert wanted <= HEARD
