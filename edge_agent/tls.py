"""TLS towards the centre: its private authority, our certificate."""

import ssl

from edge_agent.config import StateDir
from edge_agent.errors import ConfigError

_NO_CHECK_TIME = 0x200000  # X509_V_FLAG_NO_CHECK_TIME, openssl/x509_vfy.h; the ssl module has no name for it


def context(state: StateDir, *, check_dates: bool, as_node: bool) -> ssl.SSLContext:
    """Make a context that trusts the centre's authority alone.

    ``check_dates`` is off only while the node does not know the date. ``as_node`` shows our certificate.

    Raises:
        ConfigError: a certificate or the key cannot be read.
    """
    try:
        made = ssl.create_default_context(cafile=state.authority)
        if as_node:
            made.load_cert_chain(state.certificate, state.key)
    except (OSError, ssl.SSLError) as error:
        raise ConfigError(f"certificates in {state.root} cannot be used ({error}): enrol this node again") from None
    made.minimum_version = ssl.TLSVersion.TLSv1_3
    if not check_dates:
        made.verify_flags |= ssl.VerifyFlags(_NO_CHECK_TIME)
    return made
