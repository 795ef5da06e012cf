"""People and sign-ins as the API shows them."""

from enum import StrEnum
from typing import Annotated

from pydantic import AwareDatetime, BaseModel, ConfigDict, Field

Code = Annotated[str, Field(min_length=6, max_length=40)]
Password = Annotated[str, Field(max_length=1000)]
Phone = Annotated[str, Field(max_length=100)]


class Needs(StrEnum):
    """What a session that knows the password alone still has to do."""

    CODE = "code"
    """Show a code."""
    CHOOSE = "choose_password"
    """Choose a password of one's own: somebody else chose this one."""
    SET_UP = "set_up"
    """Set a second factor up."""


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
    phone: str | None = None
    """To be called at; None: not told."""
    grants: tuple[GrantOut, ...]
    locale: str
    """Language of the pages: ``vi`` or ``en``."""
    second_factor: bool
    """Whether this person has one."""
    second_factor_due_at: AwareDatetime | None
    """Until when the first administrator may go without; None: no longer, or not needed."""
    disabled_at: AwareDatetime | None
    """None: the account is open."""
    password_due: bool
    """Somebody else chose the password, and the person has not chosen another yet."""


class LossOut(BaseModel):
    """What goes when a role is taken from somebody."""

    model_config = ConfigDict(frozen=True)

    grant_id: str
    keeps: bool
    """Another role of theirs allows the same there."""
    others: int | None
    """Other people whose work the same is there; None: the role is for looking alone."""
    waiting: int
    """Requests that wait for a yes, and then for nobody but administrators."""


class LeavingOut(BaseModel):
    """What goes with the roles of somebody."""

    model_config = ConfigDict(frozen=True)

    roles: tuple[LossOut, ...]
    """Each by itself, as the account has them. None of an account that is closed."""
    closing_waiting: int
    """Requests that wait for a yes, and for nobody but administrators once the account is closed."""


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
    needs: Needs | None
    """What comes next: until then this session may do nothing else. None: nothing, go ahead."""


class OwnChange(BaseModel):
    """What a person changes of their own account; what is not named stays."""

    model_config = ConfigDict(extra="forbid")

    locale: str | None = None
    """Language of the pages."""
    phone: Phone | None = None
    """Empty: none."""


class CodeIn(BaseModel):
    """A code of the second factor."""

    model_config = ConfigDict(extra="forbid")

    code: Code
    """Six digits, or a recovery code."""
    remember: bool = False
    """Remember this browser for 90 days: for whoever neither approves nor administers it then stands for the code."""


class SecretIn(BaseModel):
    """Wish for a new second factor."""

    model_config = ConfigDict(extra="forbid")

    password: Password | None = None
    """Not needed within ten minutes of signing in, for the first one."""


class SecretOut(BaseModel):
    """A secret, shown this once."""

    model_config = ConfigDict(frozen=True)

    secret: str
    uri: str
    """``otpauth:``, for an authenticator."""


class ConfirmationIn(BaseModel):
    """The first code of a new second factor."""

    model_config = ConfigDict(extra="forbid")

    code: Code


class RecoveryCodesOut(BaseModel):
    """Codes for the day on which the telephone is lost. Shown this once; each counts once."""

    model_config = ConfigDict(frozen=True)

    codes: tuple[str, ...]


class GrantIn(BaseModel):
    """A role in an area and all below it."""

    model_config = ConfigDict(extra="forbid")

    role: str
    area_id: str | None
    """None: everywhere."""


class PersonIn(BaseModel):
    """Somebody new."""

    model_config = ConfigDict(extra="forbid")

    login: Annotated[str, Field(max_length=200)]
    name: Annotated[str, Field(max_length=1000)]
    password: Password
    """For the first sign-in, at which the person chooses another."""
    role: str
    area_id: str | None
    """None: everywhere."""
    locale: str = "vi"


class PersonChange(BaseModel):
    """What an administrator changes of an account; what is not named stays."""

    model_config = ConfigDict(extra="forbid")

    name: Annotated[str, Field(max_length=1000)] | None = None
    phone: Phone | None = None
    """Empty: none."""
    password: Password | None = None
    """A new one, for the next sign-in only, at which the person chooses another; ends all sessions."""
    disabled: bool | None = None


class PasswordChange(BaseModel):
    """A new password of one's own."""

    model_config = ConfigDict(extra="forbid")

    old: Password
    new: Password


class SessionOut(BaseModel):
    """A sign-in that lasts."""

    model_config = ConfigDict(frozen=True)

    id: str
    created_at: AwareDatetime
    expires_at: AwareDatetime
    second_factor_at: AwareDatetime | None
    """None: the password alone."""
    origin: str
    agent: str
    """What the browser calls itself."""
    current: bool
    """Whether it is the one that asks."""


class DeviceOut(BaseModel):
    """A browser that is remembered."""

    model_config = ConfigDict(frozen=True)

    id: str
    name: str
    created_at: AwareDatetime
    expires_at: AwareDatetime
    last_used_at: AwareDatetime | None


class DeviceMade(BaseModel):
    """A browser to be remembered: what goes into its cookie."""

    model_config = ConfigDict(frozen=True)

    token: str
    expires_at: AwareDatetime


class TokenIn(BaseModel):
    """Wish for a machine's key."""

    model_config = ConfigDict(extra="forbid")

    name: Annotated[str, Field(max_length=1000)]
    acts: tuple[str, ...]
    """What it may do at most; without any it may only read what its maker sees."""
    expires_at: AwareDatetime


class TokenOut(BaseModel):
    """A machine's key, without the key."""

    model_config = ConfigDict(frozen=True)

    id: str
    name: str
    acts: tuple[str, ...]
    created_at: AwareDatetime
    expires_at: AwareDatetime
    last_used_at: AwareDatetime | None
    """To the hour."""
    revoked_at: AwareDatetime | None


class TokenMade(TokenOut):
    """A new machine's key, shown this once."""

    token: str
    """For ``Authorization: Bearer``."""
