"""Sign-in, accounts, second factors, sessions and machines' keys over HTTP. ``me`` in a path is whoever asks."""

from fastapi import APIRouter, Request, Response

from controller.errors import (
    ConflictError,
    ForbiddenError,
    InvalidError,
    NotFoundError,
    NotSignedInError,
    TooManyAttemptsError,
)
from controller.http.description import may_raise
from controller.http.session import (
    Acting,
    AnyServices,
    HalfSignedIn,
    SessionToken,
    SignedInPerson,
    agent_of,
    clear_cookie,
    device_of,
    remember_device,
    set_cookie,
)
from controller.http.tokens import origin_of

from .repository import LastAdministratorError
from .schemas import (
    CodeIn,
    ConfirmationIn,
    DeviceOut,
    GrantIn,
    OwnChange,
    PasswordChange,
    PersonChange,
    PersonIn,
    PersonOut,
    RecoveryCodesOut,
    SecretIn,
    SecretOut,
    SessionOut,
    SignedIn,
    SignIn,
    TokenIn,
    TokenMade,
    TokenOut,
)

router = APIRouter(tags=["people"])

OWN_OR_MANAGED = may_raise(ForbiddenError, NotFoundError)


@router.post(
    "/sessions", status_code=201, summary="Sign in", responses=may_raise(NotSignedInError, TooManyAttemptsError)
)
async def sign_in(wanted: SignIn, request: Request, response: Response, services: AnyServices) -> SignedIn:
    """Open a session; its token comes in the body and as a cookie. ``needs`` says what it has to show first."""
    opened = await services.people.sign_in(
        login=wanted.login,
        password=wanted.password,
        origin=origin_of(request),
        agent=agent_of(request),
        device=device_of(request),
    )
    set_cookie(response, opened.token, opened.expires_at)
    return opened


@router.post(
    "/sessions/factor",
    summary="Show the second factor",
    responses=may_raise(ConflictError, ForbiddenError, TooManyAttemptsError),
)
async def show_factor(
    wanted: CodeIn, request: Request, response: Response, who: HalfSignedIn, services: AnyServices
) -> PersonOut:
    """Lift the session that asks with a code or a recovery code; a remembered browser gets a cookie."""
    person, device = await services.factors.show(
        who, code=wanted.code, origin=origin_of(request), remember=wanted.remember, agent=agent_of(request)
    )
    if device is not None:
        remember_device(response, device.token, device.expires_at)
    return person


@router.delete("/sessions", status_code=204, summary="Sign out")
async def sign_out(token: SessionToken, response: Response, services: AnyServices) -> None:
    """End the session that the request brings."""
    await services.people.sign_out(token)
    clear_cookie(response)


@router.get("/people/me", summary="Who is signed in")
async def me(person: SignedInPerson) -> PersonOut:
    """Give the person who asks."""
    return person


@router.patch(
    "/people/me", summary="Change one's own settings", responses=may_raise(ForbiddenError, NotFoundError, InvalidError)
)
async def change_own(wanted: OwnChange, actor: Acting, person: SignedInPerson, services: AnyServices) -> PersonOut:
    """Choose the language of the pages, and say at which telephone one is called."""
    if wanted.locale is not None:
        person = await services.people.set_locale(actor, wanted.locale)
    if wanted.phone is not None:
        person = await services.accounts.set_phone(actor, wanted.phone)
    return person


@router.post(
    "/people/me/password",
    status_code=204,
    summary="Choose a new password",
    responses=may_raise(ForbiddenError, TooManyAttemptsError),
)
async def change_password(wanted: PasswordChange, request: Request, who: HalfSignedIn, services: AnyServices) -> None:
    """Change one's own password; ends all sessions but this one and forgets the browsers."""
    await services.accounts.change_password(who, old=wanted.old, new=wanted.new, origin=origin_of(request))


@router.post(
    "/people/me/factor",
    status_code=201,
    summary="Begin a second factor",
    responses=may_raise(ForbiddenError, TooManyAttemptsError),
)
async def begin_factor(wanted: SecretIn, who: HalfSignedIn, services: AnyServices) -> SecretOut:
    """Show a secret, this once; it counts from its first right code on."""
    return await services.factors.begin(who, password=wanted.password)


@router.post(
    "/people/me/factor/confirmation",
    summary="Confirm a second factor",
    responses=may_raise(ConflictError, ForbiddenError, TooManyAttemptsError),
)
async def confirm_factor(
    wanted: ConfirmationIn, request: Request, who: HalfSignedIn, services: AnyServices
) -> RecoveryCodesOut:
    """Take the secret that was shown, with its first code; gives recovery codes and ends the other sessions."""
    return RecoveryCodesOut(codes=await services.factors.confirm(who, code=wanted.code, origin=origin_of(request)))


@router.post(
    "/people/me/factor/recovery-codes",
    status_code=201,
    summary="Make new recovery codes",
    responses=may_raise(ConflictError, ForbiddenError),
)
async def new_recovery_codes(request: Request, who: HalfSignedIn, services: AnyServices) -> RecoveryCodesOut:
    """Make new codes for the day on which the telephone is lost; the old ones count no more."""
    return RecoveryCodesOut(codes=await services.factors.new_recovery_codes(who, origin=origin_of(request)))


@router.post(
    "/people/me/tokens",
    status_code=201,
    summary="Make a machine's key",
    responses=may_raise(ForbiddenError, InvalidError, NotFoundError),
)
async def make_token(wanted: TokenIn, actor: Acting, services: AnyServices) -> TokenMade:
    """Make a key that may do no more than the acts it names; it is shown this once."""
    return await services.tokens.make(actor, name=wanted.name, acts=wanted.acts, expires_at=wanted.expires_at)


@router.get("/people", summary="Who may sign in", responses=may_raise(ForbiddenError))
async def list_people(actor: Acting, services: AnyServices) -> list[PersonOut]:
    """Give everybody who works where the one who asks changes people, by login."""
    return await services.accounts.list(actor)


@router.post(
    "/people",
    status_code=201,
    summary="Add somebody",
    responses=may_raise(ForbiddenError, InvalidError, ConflictError),
)
async def add_person(wanted: PersonIn, actor: Acting, services: AnyServices) -> PersonOut:
    """Add somebody who may sign in, with one role to begin with. Nobody gives more than he has."""
    return await services.accounts.add(actor, **wanted.model_dump())


@router.get("/people/{person_id}", summary="One person", responses=OWN_OR_MANAGED)
async def get_person(person_id: str, actor: Acting, services: AnyServices) -> PersonOut:
    """Give somebody's account."""
    return await services.accounts.get(actor, person_id)


@router.patch(
    "/people/{person_id}",
    summary="Change an account",
    responses=may_raise(ForbiddenError, NotFoundError, InvalidError, LastAdministratorError),
)
async def change_person(person_id: str, wanted: PersonChange, actor: Acting, services: AnyServices) -> PersonOut:
    """Change the name, set a new password, close or open the account of somebody who works only where one may."""
    return await services.accounts.change(
        actor,
        person_id,
        name=wanted.name,
        phone=wanted.phone,
        password=wanted.password,
        disabled=wanted.disabled,
    )


@router.post(
    "/people/{person_id}/grants",
    status_code=201,
    summary="Give a role",
    responses=may_raise(ForbiddenError, NotFoundError, InvalidError, ConflictError),
)
async def grant(person_id: str, wanted: GrantIn, actor: Acting, services: AnyServices) -> PersonOut:
    """Give somebody a role in an area and all below it."""
    return await services.accounts.grant(actor, person_id, role=wanted.role, area_id=wanted.area_id)


@router.delete(
    "/people/{person_id}/grants/{grant_id}",
    summary="Take a role",
    responses=may_raise(ForbiddenError, NotFoundError, LastAdministratorError),
)
async def revoke_grant(person_id: str, grant_id: str, actor: Acting, services: AnyServices) -> PersonOut:
    """Take a role from somebody; counts at once."""
    return await services.accounts.revoke(actor, person_id, grant_id)


@router.delete("/people/{person_id}/factor", summary="Reset a second factor", responses=OWN_OR_MANAGED)
async def reset_factor(person_id: str, actor: Acting, services: AnyServices) -> PersonOut:
    """Take away the second factor of somebody who lost it, and sign him out."""
    return await services.factors.reset(actor, person_id)


@router.get("/people/{person_id}/sessions", summary="Where somebody is signed in", responses=OWN_OR_MANAGED)
async def list_sessions(person_id: str, actor: Acting, who: HalfSignedIn, services: AnyServices) -> list[SessionOut]:
    """Give the sessions that last, newest first."""
    return await services.sign_ins.sessions(actor, person_id, current=who.session_id)


@router.delete("/people/{person_id}/sessions", status_code=204, summary="Sign somebody out", responses=OWN_OR_MANAGED)
async def end_sessions(person_id: str, actor: Acting, who: HalfSignedIn, services: AnyServices) -> None:
    """End all sessions, of oneself but the one that asks, and forget the browsers."""
    await services.sign_ins.end_all(actor, person_id, but=who.session_id)


@router.delete(
    "/people/{person_id}/sessions/{session_id}", status_code=204, summary="End a session", responses=OWN_OR_MANAGED
)
async def end_session(person_id: str, session_id: str, actor: Acting, services: AnyServices) -> None:
    """End one session."""
    await services.sign_ins.end(actor, person_id, session_id)


@router.get("/people/{person_id}/devices", summary="Browsers that are remembered", responses=OWN_OR_MANAGED)
async def list_devices(person_id: str, actor: Acting, services: AnyServices) -> list[DeviceOut]:
    """Give the browsers that stand for a second factor, newest first."""
    return await services.sign_ins.devices(actor, person_id)


@router.delete(
    "/people/{person_id}/devices/{device_id}", status_code=204, summary="Forget a browser", responses=OWN_OR_MANAGED
)
async def forget_device(person_id: str, device_id: str, actor: Acting, services: AnyServices) -> None:
    """Let a browser show a code again."""
    await services.sign_ins.forget_device(actor, person_id, device_id)


@router.get("/people/{person_id}/tokens", summary="Machines' keys", responses=OWN_OR_MANAGED)
async def list_tokens(person_id: str, actor: Acting, services: AnyServices) -> list[TokenOut]:
    """Give somebody's keys, newest first, also those that ended."""
    return await services.tokens.list(actor, person_id)


@router.delete(
    "/people/{person_id}/tokens/{token_id}",
    summary="Revoke a machine's key",
    responses=may_raise(ForbiddenError, NotFoundError, ConflictError),
)
async def revoke_token(person_id: str, token_id: str, actor: Acting, services: AnyServices) -> TokenOut:
    """End a key at once."""
    return await services.tokens.revoke(actor, person_id, token_id)
