"""The services of the centre, built once. Routes, pages, wire and scheduler get them from here."""

from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass

from audio.prepare import Settings

from .alarms.service import Alarms
from .approvals.alone import ByAuthors
from .approvals.hearings import Hearings
from .approvals.papers import Papers
from .approvals.service import Approvals
from .areas.moves import Moves
from .areas.removing import Removals
from .areas.service import Areas
from .areas.whatif import AreaWhatIfs
from .audit.heads import HEAD_FILE
from .audit.service import Audit
from .broadcasts.drafting import Drafting
from .broadcasts.history import History
from .broadcasts.late_words import LateWords
from .broadcasts.listed import BroadcastPlays
from .broadcasts.replays import Replays
from .broadcasts.service import Broadcasts
from .broadcasts.sounds import BroadcastSounds
from .bulletins.service import Bulletins
from .clock import Clock
from .config import Config
from .db import Database
from .emergencies.firing import Firing
from .emergencies.messages import Messages
from .emergencies.sending import Sending
from .emergencies.service import Emergencies
from .enrolments.authority import Authority
from .enrolments.service import Enrolments
from .events import EventBus
from .failures import Failures
from .faults.service import Faults
from .holds.lasting import LastingHolds
from .holds.service import Holds
from .media.service import Media
from .nodes.acts import NodeActs
from .nodes.contacts import Contacts
from .nodes.history import NodeHealth
from .nodes.lists import NodeLists
from .nodes.live import LiveNodes
from .nodes.logs import NodeLogs
from .nodes.revoking import Revocations
from .nodes.service import Nodes
from .overview.service import Overviews
from .people.accounts import Accounts
from .people.factors import Factors
from .people.leaving import Leaving
from .people.passwords import Passwords
from .people.proof import Proof, Witness
from .people.sealing import Seal
from .people.service import People
from .people.signins import SignIns
from .people.tokens import Tokens
from .plans.service import Documents
from .plays.of_node import NodePlays
from .plays.why import Whys
from .policies.service import Policies
from .programmes.service import Programmes
from .recordings.cutting import Cutting
from .recordings.library import Library
from .recordings.processing import Processing
from .recordings.quota import Quota
from .recordings.resumable import Resumables
from .recordings.service import Recordings
from .recordings.speech import Speech
from .recordings.uploads import UploadLimits, UploadRoom
from .renewals.service import Renewals
from .schedules.airings import Airings
from .schedules.calendars import AreaCalendars
from .schedules.copying import WeekCopies
from .schedules.day import Days
from .schedules.exchange import Exchange
from .schedules.feed import Feeds
from .schedules.returned import ReturnedSchedules
from .schedules.rolling import Rolling
from .schedules.service import Schedules
from .schedules.single_dates import SingleDates
from .schedules.templating import Templates
from .schedules.unaired import UnairedDates
from .schedules.whatif import ScheduleWhatIfs
from .sent_forms.service import SentForms
from .tiles import Tiles
from .updates.rollouts import Rollouts
from .updates.service import Releases
from .updates.steering import Steering
from .updates.traffic import Traffic
from .wire.keys import SEAL_FILE, secret_key


@dataclass(frozen=True)
class Services:
    """What can be asked of the centre."""

    people: People
    accounts: Accounts
    factors: Factors
    sign_ins: SignIns
    tokens: Tokens
    leaving: Leaving
    areas: Areas
    area_what_ifs: AreaWhatIfs
    moves: Moves
    removals: Removals
    policies: Policies
    nodes: Nodes
    node_lists: NodeLists
    node_health: NodeHealth
    node_plays: NodePlays
    broadcast_plays: BroadcastPlays
    broadcast_sounds: BroadcastSounds
    contacts: Contacts
    node_acts: NodeActs
    node_logs: NodeLogs
    recordings: Recordings
    processing: Processing
    resumables: Resumables
    speech: Speech
    library: Library
    cutting: Cutting
    bulletins: Bulletins
    programmes: Programmes
    schedules: Schedules
    single_dates: SingleDates
    unaired: UnairedDates
    returned_schedules: ReturnedSchedules
    templates: Templates
    week_copies: WeekCopies
    feeds: Feeds
    what_ifs: ScheduleWhatIfs
    airings: Airings
    calendars: AreaCalendars
    days: Days
    exchange: Exchange
    broadcasts: Broadcasts
    history: History
    replays: Replays
    late_words: LateWords
    approvals: Approvals
    papers: Papers
    hearings: Hearings
    by_authors: ByAuthors
    whys: Whys
    holds: Holds
    lasting_holds: LastingHolds
    messages: Messages
    emergencies: Emergencies
    firing: Firing
    enrolments: Enrolments
    renewals: Renewals
    revocations: Revocations
    releases: Releases
    rollouts: Rollouts
    steering: Steering
    update_traffic: Traffic
    faults: Faults
    alarms: Alarms
    audit: Audit
    sent_forms: SentForms
    documents: Documents
    failures: Failures
    """Work that failed when it was last tried, for readiness."""
    media: Media
    overview: Overviews
    tiles: Tiles
    live: LiveNodes
    """Where the ingest notes what nodes say."""
    database: Database
    """For readiness and the wire; pages do not touch it."""
    events: EventBus
    clock: Clock
    config: Config
    witness: Witness | None
    """Who checks the yeses of people, where the signer stands apart."""

    def together(self) -> AbstractAsyncContextManager[None]:
        """Read all that the block asks for as one snapshot: what a page needs of many services costs one session."""
        return self.database.together()

    def proof(self, code: str = "") -> Proof | None:
        """Give how whoever acts proves a yes, with what they typed; None where nobody asks for that."""
        return None if self.witness is None else Proof(self.witness, code)


def build_services(
    config: Config,
    database: Database,
    bus: EventBus,
    clock: Clock,
    authority: Authority,
    *,
    passwords: Passwords | None = None,
    upload_limits: UploadLimits | None = None,
    witness: Witness | None = None,
) -> Services:
    """Wire the services together. ``passwords`` and ``upload_limits`` are for tests, which must not wait."""
    documents, live = Documents(clock), LiveNodes()
    alarms, passwords = Alarms(database, clock), passwords or Passwords()
    seal = Seal(secret_key(config.keys / SEAL_FILE))
    nodes = Nodes(database, clock, documents, live)
    acts, failures = NodeActs(database, clock, live), Failures()
    overviews = Overviews(database, clock, bus, live)
    rolling = Rolling(
        database,
        clock,
        documents,
        alarms,
        plan_days=config.plan_days,
        failures=failures,
        proven=config.signer is not None,
    )
    schedules, programmes = Schedules(database, clock, rolling, live), Programmes(database, clock)
    single_dates, calendars = SingleDates(database, clock, schedules, live), AreaCalendars(database, clock)
    limits = upload_limits or UploadLimits(config.max_upload_bytes, config.disk_reserve_bytes)
    settings = Settings(max_length_s=config.max_recording_minutes * 60, max_bytes=config.max_upload_bytes)
    room, quota = UploadRoom(config.uploads, limits), Quota(config.uploads_a_day, config.upload_bytes_a_day)
    processing = Processing(database, clock, bus, room, media=config.media, settings=settings)
    recordings = Recordings(database, clock, room, processing, quota=quota)
    holds = Holds(database, clock, documents, live)
    releases = Releases(
        database,
        clock,
        config.updates,
        disk_reserve_bytes=config.disk_reserve_bytes,
        trusted=lambda: authority.trusted_keys,
    )
    sending = Sending(documents, holds, lead_ms=config.lead_ms, proven=config.signer is not None)
    drafting = Drafting(
        clock,
        documents,
        live,
        alarms=alarms,
        lead_ms=config.lead_ms,
        plan_days=config.plan_days,
        trusted_keys=authority.trusted_keys,
    )
    broadcasts = Broadcasts(database, clock, documents, live, drafting)
    return Services(
        people=People(database, clock, session_hours=config.session_hours, alarms=alarms, passwords=passwords),
        accounts=Accounts(database, clock, passwords),
        factors=Factors(database, clock, alarms=alarms, passwords=passwords, seal=seal),
        sign_ins=SignIns(database, clock),
        tokens=Tokens(database, clock),
        leaving=Leaving(database),
        areas=Areas(database, clock, documents),
        area_what_ifs=AreaWhatIfs(database, clock, trusted_keys=authority.trusted_keys),
        moves=Moves(database, clock, documents, live),
        removals=Removals(database, clock),
        policies=Policies(database, clock, documents, trusted_keys=authority.trusted_keys),
        nodes=nodes,
        node_lists=NodeLists(database, nodes, overviews),
        node_health=NodeHealth(database, clock),
        node_plays=NodePlays(database, clock, live),
        broadcast_plays=BroadcastPlays(database, clock, live),
        broadcast_sounds=BroadcastSounds(database),
        contacts=Contacts(database),
        node_acts=acts,
        node_logs=NodeLogs(database, clock, acts),
        recordings=recordings,
        processing=processing,
        resumables=Resumables(database, clock, recordings, room, quota),
        speech=Speech(database, recordings),
        library=Library(database, clock, recordings),
        cutting=Cutting(database, recordings, room, media=config.media),
        bulletins=Bulletins(database, clock),
        programmes=programmes,
        schedules=schedules,
        single_dates=single_dates,
        unaired=UnairedDates(database, clock),
        returned_schedules=ReturnedSchedules(database, clock),
        templates=Templates(database, programmes, schedules),
        week_copies=WeekCopies(database, clock, schedules),
        feeds=Feeds(database, clock, live),
        airings=Airings(database, clock),
        what_ifs=ScheduleWhatIfs(
            database,
            clock,
            schedules=schedules,
            single_dates=single_dates,
            calendars=calendars,
            programmes=programmes,
            trusted_keys=authority.trusted_keys,
        ),
        calendars=calendars,
        exchange=Exchange(database, clock, schedules),
        days=Days(database, clock, live, trusted_keys=authority.trusted_keys),
        whys=Whys(database, clock, live, trusted_keys=authority.trusted_keys),
        broadcasts=broadcasts,
        history=History(database, clock, live),
        replays=Replays(database, clock, broadcasts, drafting, lead_ms=config.lead_ms),
        late_words=LateWords(database, clock, documents),
        approvals=Approvals(database, clock, documents, lead_ms=config.lead_ms, failures=failures),
        papers=Papers(database, clock, config.scans, disk_reserve_bytes=config.disk_reserve_bytes),
        hearings=Hearings(database, clock),
        by_authors=ByAuthors(database, clock),
        holds=holds,
        lasting_holds=LastingHolds(database, clock, live, alarms),
        messages=Messages(database, clock, documents, recordings),
        emergencies=Emergencies(
            database,
            clock,
            sending=sending,
            holds=holds,
            alarms=alarms,
            recordings=recordings,
            live=live,
            trusted_keys=authority.trusted_keys,
        ),
        firing=Firing(database, bus, clock, sending, alarms, failures=failures),
        enrolments=Enrolments(
            database, clock, documents, nodes=nodes, authority=authority, config=config, alarms=alarms
        ),
        renewals=Renewals(database, clock, live, authority, alarms),
        revocations=Revocations(database, clock, alarms),
        releases=releases,
        rollouts=Rollouts(database, clock, live),
        steering=Steering(database, clock, live, alarms=alarms, releases=releases, failures=failures),
        update_traffic=Traffic(),
        faults=Faults(database, clock),
        alarms=alarms,
        audit=Audit(database, clock, head_file=config.keys / HEAD_FILE),
        sent_forms=SentForms(database, clock),
        documents=documents,
        failures=failures,
        media=Media(database, clock, config.media),
        overview=overviews,
        tiles=Tiles(config.tiles),
        live=live,
        database=database,
        events=bus,
        clock=clock,
        config=config,
        witness=witness,
    )
