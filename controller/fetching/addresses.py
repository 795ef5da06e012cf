"""Which addresses of the Internet are strangers' and not ours. Pure."""

import ipaddress

_TUNNELS = tuple(
    ipaddress.IPv6Network(each)
    for each in (
        "::/96",  # IPv4-compatible (RFC 4291)
        "64:ff9b::/96",  # NAT64 (RFC 6052): Python calls it global, whatever IPv4 address is inside
        "64:ff9b:1::/48",  # NAT64 of one network (RFC 8215)
        "2001::/32",  # Teredo (RFC 4380)
        "2002::/16",  # 6to4 (RFC 3056)
    )
)
"""Of IPv6, what leads to an IPv4 address that nobody looked at."""


def is_public(address: str) -> bool:
    """Say whether a resolved address belongs to the Internet: to no private, shared, local or special network."""
    try:
        found = ipaddress.ip_address(address)
    except ValueError:
        return False  # with a zone, or no address at all
    if isinstance(found, ipaddress.IPv6Address):
        if found.ipv4_mapped is not None:
            return is_public(str(found.ipv4_mapped))
        if found.scope_id is not None or any(found in network for network in _TUNNELS):
            return False
    return found.is_global and not (found.is_multicast or found.is_reserved or found.is_unspecified)
