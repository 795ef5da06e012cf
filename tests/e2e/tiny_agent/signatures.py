"""Section 5: signatures. What opens a document, and what an approval is for."""

import base64
import hashlib
import json
import re
from typing import Any

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

from .basics import Json, require
from .documents import DOCUMENTS


class DroppedError(Exception):
    """A message without effect; its text is the code."""


def no_constant(_name: str) -> None:
    raise ValueError("not JSON")


def strict_json(data: bytes) -> Any:
    try:
        return json.loads(data.decode(), parse_constant=no_constant)
    except RecursionError as deep:
        raise ValueError("too deep") from deep


def unbase64(part: str) -> bytes:
    require(re.fullmatch("[A-Za-z0-9_-]+", part, re.ASCII))
    return base64.urlsafe_b64decode(part + "=" * (-len(part) % 4))


def rebase64(data: bytes) -> str:
    return base64.urlsafe_b64encode(data).decode().rstrip("=")


def kid_of(raw: bytes) -> str:
    return hashlib.sha256(raw).hexdigest()[:16]


def opened(word: str, token: bytes, keys: list[Json]) -> Json:
    """Do checks 2 to 7 and 9 of section 6."""
    try:
        require(len(token) <= 1 << 20)
        head, body, mark = token.decode("ascii").split(".")
        require(len(head) <= 256)
        header, signed = strict_json(unbase64(head)), f"{head}.{body}".encode()
        require(isinstance(header, dict) and header.keys() == {"alg", "typ", "kid"})
        signature, payload = unbase64(mark), unbase64(body)
    except ValueError as wrong:
        raise DroppedError("malformed") from wrong
    if header["alg"] != "Ed25519":
        raise DroppedError("bad_signature")
    if header["typ"] != "loa-" + word.replace("/", "-"):
        raise DroppedError("wrong_audience")
    use = "policy" if word == "settings" else "dispatch"
    raw = next((unbase64(key["x"]) for key in keys if (key["kid"], key["use"]) == (header["kid"], use)), None)
    if raw is None or kid_of(raw) != header["kid"]:
        raise DroppedError("unknown_key")
    try:
        Ed25519PublicKey.from_public_bytes(raw).verify(signature, signed)
        document: Json = DOCUMENTS[word](strict_json(payload))
        require(document["nbf"] < document["exp"])
        trusted = {key["kid"] for key in document.get("trusted_keys", [])}
        require(not trusted & set(document.get("revoked_keys", [])))
    except InvalidSignature as wrong:
        raise DroppedError("bad_signature") from wrong
    except ValueError as wrong:
        raise DroppedError("malformed") from wrong
    own = [(key["kid"], key["use"]) for key in document.get("trusted_keys", [])]
    if word == "settings" and (header["kid"], "policy") not in own:
        raise DroppedError("unknown_key")
    return document | {"signed_by": header["kid"]}


def content_sha256(broadcast: Json) -> str:
    names, lines = ("language", "sha256", "length_ms", "gain_mb"), []
    for index, item in enumerate(broadcast["items"]):
        for voice in item["voices"]:
            parts = [
                index,
                item["offset_ms"],
                *(voice[name] for name in names),
                *([item["choice"]] * bool(item["choice"])),
            ]
            lines.append("\t".join(map(str, parts)) + "\n")
    if broadcast["drill"]:
        lines.append(f"drill\t{broadcast['drill']}\n")
    return hashlib.sha256("".join(lines).encode()).hexdigest()
