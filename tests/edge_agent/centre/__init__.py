"""A small centre for tests of agents: private authority, mosquitto over TLS, media over HTTPS, signing keys.

It speaks the wire and nothing more; whoever writes another agent can be tested against it.
"""

from tests.edge_agent.centre.authority import Authority
from tests.edge_agent.centre.centre import AREA, Centre, running_centre
from tests.edge_agent.centre.files import FileServer
from tests.edge_agent.centre.orders import SCOPE, Keys, Orders, broadcast, soon
from tests.edge_agent.centre.process import VirtualRecording, agent_process
from tests.edge_agent.centre.sounds import make_opus, pcm_of, voice_of

__all__ = [
    "AREA",
    "SCOPE",
    "Authority",
    "Centre",
    "FileServer",
    "Keys",
    "Orders",
    "VirtualRecording",
    "agent_process",
    "broadcast",
    "make_opus",
    "pcm_of",
    "running_centre",
    "soon",
    "voice_of",
]
