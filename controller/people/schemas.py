"""People and sign-ins as the API shows them."""

from typing import Annotated

from pydantic import AwareDatetime, BaseModel, ConfigDict, Field


class GrantOut(BaseModel):
    """A role in an area and all below it."""

    model_config = ConfigDict(frozen=True)

    id: str
    role: str
    area_id: str | None
    """None: everywhere."""


class PersonOut(BaseModel):
    """Somebody who signs in."""

    model_config = ConfigDict(frozen=True)

    id: str
    login: str
    name: str
    grants: tuple[GrantOut, ...]
    locale: str
    """Language of the pages: ``vi`` or ``en``."""


class SignIn(BaseModel):
    """What is typed to sign in."""

    model_config = ConfigDict(extra="forbid")

    login: Annotated[str, Field(max_length=200)]
    password: Annotated[str, Field(max_length=1000)]


class SignedIn(BaseModel):
    """A new session."""

    model_config = ConfigDict(frozen=True)

    token: str
    """For ``Authorization: Bearer``; the same is set as a cookie."""
    person: PersonOut
    expires_at: AwareDatetime


class LocaleIn(BaseModel):
    """Language of the pages."""

    model_config = ConfigDict(extra="forbid")

    locale: str
