"""The faults that we promise to stand, each with its promise in a line: what ``docs/faults.md`` is made of.

Numbers F1 to F35 and C35 to C42 are those of the list that the suite was built from.
"""

FAULTS: dict[str, tuple[str, str]] = {
    "F1": ("broker killed", "plays go on; nothing acknowledged is lost, nothing doubled"),
    "F2": (
        "centre killed in the middle of dispatch",
        "what was acknowledged is sent after it, and plays once",
    ),
    "F3": ("database locked", "dispatch waits and goes on; no play is dropped"),
    "F4": ("disk of the centre full", "uploads are refused first; STOP still works"),
    "F5": ("disk of a node full", "what is needed stays; the fault is shown; plays go on"),
    "F6": ("no link at the time of a play", "played on time; told when the link is back"),
    "F7": (
        "no link for longer than the lease",
        "plays to its end, then silence with a reason; nothing later",
    ),
    "F8": ("cancelled or edited while a node is away", "plays unless it hears of it in time; then never"),
    "F9": ("messages doubled, reordered, very late", "no effect"),
    "F10": ("clock steps, or starts at 1970", "nothing early, late or twice; the fault is shown; emergencies sound"),
    "F11": ("time zone changes under the node", "plays are instants: nothing moves"),
    "F12": ("file of the cache spoiled", "found before it sounds and fetched again, else missed with the reason"),
    "F13": ("sound card gone, hung, or too fast", "interrupted within 5 s, fault within 100 s, taken up again"),
    "F14": ("output runs dry", "counted; above one part in a hundred no evidence"),
    "F15": ("muted", "not told as played"),
    "F16": ("amplifier or horn dead", "noticed by what listens"),
    "F17": ("narrow and lossy link", "fetched ahead, resumed by range"),
    "F18": ("certificate ended", "alarm before; the node plays what it has"),
    "F19": ("certificate ended while away", "comes back with a person's yes"),
    "F20": ("all nodes reconnect at once", "spread out; plays untouched"),
    "F21": ("everything at the same second", "starts stay together"),
    "F22": (
        "emergency during routine",
        "routine gives way at once, and goes on where its rule allows",
    ),
    "F23": ("two emergencies", "one after the other, never mixed"),
    "F24": ("power cut at a write", "starts again, and nothing routine begins twice"),
    "F25": ("power cut while it sounds", "routine is not repeated; an emergency is, once"),
    "F26": ("disk of a node read-only", "plays from memory where it can, fault, no loop of restarts"),
    "F27": ("bad update", "goes back by itself"),
    "F28": ("agent hangs", "the supervisor ends it and starts it again"),
    "F29": ("memory or descriptors leak", "flat over a long run"),
    "F30": (
        "database restored from yesterday",
        "all is held until a person releases; nothing old plays again",
    ),
    "F31": ("two centres", "nodes follow the higher epoch; a second one does not start on the same state"),
    "F32": ("half-open link", "noticed by keepalive; the node comes back by itself"),
    "F33": ("media store answers 404, or not", "fetched when it comes back; else missed with the reason"),
    "F34": ("the centre believes what did not sound", "played needs evidence; the checker reads the outputs"),
    "F35": ("second approver away", "break-glass with alarm"),
    "C35": ("STOP while the link is cut", "silence from the heal on, through restarts, until released"),
    "C36": ("STOP and start in the same moment", "silence wins"),
    "C37": ("node revoked while it plays", "cut off within 60 s"),
    "C38": ("keys rotated in the middle of a day", "no gap"),
    "C39": ("queue of the broker overflows", "an emergency comes all the same"),
    "C40": ("access rules emptied", "the broker opens nothing to anybody"),
    "C41": ("identity of a node cloned", "seen, alarm"),
    "histories": ("everything at random", "no invariant breaks"),
    "seen": (
        "anything wrong with a node",
        "said within 100 s of when it could be known; a lost node within 45 s; its end as fast",
    ),
    "planted": ("bugs put into the product", "each is seen by the invariant it breaks"),
}

ELSEWHERE: dict[str, tuple[str, ...]] = {
    "F2": ("tests/controller/wire/test_processes.py::test_a_stop_that_was_acknowledged_survives_a_kill_before",),
    "F4": ("tests/controller/test_reserve.py",),
    "F5": (
        "tests/edge_agent/test_store.py::test_a_full_disk_frees_the_reserve",
        "tests/edge_agent/test_fetcher.py::test_what_is_kept_always_is_fetched_and_survives_a_full_disk",
    ),
    "F13": ("tests/edge_agent/outputs/test_gaps.py",),
    "F14": (
        "tests/edge_agent/test_renderer.py::test_what_a_dry_device_swallowed",
        "tests/edge_agent/test_evidence.py::test_less_than_that_is_not_whole",
    ),
    "F15": ("tests/edge_agent/test_evidence.py::test_a_muted_node_has_not_played",),
    "F16": ("tests/edge_agent/test_hearing.py::test_what_is_not_heard_is_a_fault",),
    "F17": ("tests/edge_agent/test_fetcher.py::test_a_download_that_breaks_off_is_continued",),
    "F18": (
        "tests/edge_agent/checks/test_checks.py::test_a_certificate_that_was_not_renewed",
        "tests/controller/wire/test_rotation.py::test_people_are_told_90_30_and_7_days",
    ),
    "F19": ("tests/edge_agent/test_renewal.py::test_who_waits_for_a_person",),
    "F24": ("tests/edge_agent/test_store.py::test_a_kill_at_any_moment_leaves_whole_transactions",),
    "F26": (
        "tests/edge_agent/checks/test_checks.py::test_a_disk_that_takes_nothing_more",
        "tests/edge_agent/test_read_only_card.py",
        "tests/edge_agent/test_store.py::test_a_card_that_takes_no_more",
    ),
    "F28": (
        "tests/edge_agent/test_process.py::test_the_supervisor_hears_ready",
        "tests/box/test_box.py::test_an_agent_that_hangs_is_started_again",
        "tests/box/test_centre.py::test_a_centre_that_hangs_is_started_again",
    ),
    "F30": (
        "tests/controller/test_restoring.py::test_after_a_restore",
        "tests/controller/test_restoring.py::test_a_node_takes_nothing_of_a_centre_that_lives_in_an_older",
    ),
    "F31": (
        "tests/controller/wire/test_processes.py::test_one_centre_serves_a_folder",
        "tests/controller/test_restoring.py::test_two_centres_on_one_database",
        "tests/controller/test_restoring.py::test_on_postgresql_the_lease",
    ),
    "F33": ("tests/edge_agent/test_fetcher.py::test_what_is_gone_or_not_there_yet",),
    "F35": ("tests/controller/test_emergencies.py::test_a_broken_glass_waits_half_a_minute",),
    "C37": ("tests/controller/wire/test_revocation.py::test_a_stolen_node_loses_its_session",),
    "C38": (
        "tests/controller/wire/test_rotation.py::test_a_key_is_replaced_when_all_hold",
        "tests/controller/wire/test_rotation.py::test_a_node_that_slept_through_a_rotation",
    ),
    "C41": ("tests/controller/wire/test_clones.py::test_a_copied_card_raises_an_alarm",),
}
"""Tests that stand beside what they try, by the beginning of their names; `make faults` runs their files too."""
