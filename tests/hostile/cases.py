"""The 94 hostile inputs of the trust list: what each is, and the test that sends it. What has none says why."""

from typing import NamedTuple


class Case(NamedTuple):
    """One hostile input."""

    words: str
    tests: tuple[str, ...] = ()
    """``file::test`` below ``tests/``, without parameters."""
    not_yet: str = ""
    """What is not shown, and why; a case may have tests for one half and this for the other."""


def _in(file: str, *tests: str) -> tuple[str, ...]:
    return tuple(f"{file}::test_{name}" for name in tests)


_AUDIO = "hostile/test_uploads_audio.py"
_UPLOADS = "hostile/test_api_uploads.py"
_REQUESTS = "hostile/test_api_requests.py"
_CERTIFICATE = "hostile/test_node_certificate.py"
_LIES = "hostile/test_node_lies.py"
_SIGNING = "edge_agent/protocol/test_signing.py"
_ORDERS = "edge_agent/test_orders.py"
_VOICES = "audio/test_voices.py"
_ADDRESSES = "hostile/test_urls.py"
_MESSAGES = "hostile/test_messages.py"
_RATES = "hostile/test_web_rates.py"
_TEXT = "hostile/test_web_text.py"
_ABUSE = "hostile/test_api_abuse.py"
_STRANGERS = "hostile/test_web_strangers.py"
_FLOODS = "hostile/test_web_floods.py"

CASES: dict[int, Case] = {
    # uploads and audio
    1: Case("a day of silence in 164 KB of FLAC", _in(_AUDIO, "a_day_of_silence_in_a_small_flac_is_too_long")),
    2: Case("a day of silence in Opus", _in(_AUDIO, "a_day_of_silence_in_a_small_opus_is_too_long")),
    3: Case("WAV of size 0xFFFFFFFF", _in(_AUDIO, "a_wav_header_that_cannot_be_true_is_called_so")),
    4: Case("WAV of rate 0", _in(_AUDIO, "a_wav_header_that_cannot_be_true_is_called_so")),
    5: Case("WAV of 65,535 channels", _in(_AUDIO, "a_wav_header_that_cannot_be_true_is_called_so")),
    6: Case("WAV of 1 Hz, of 3 GHz", _in(_AUDIO, "a_wav_header_that_cannot_be_true_is_called_so")),
    7: Case(
        "MP3 cut short",
        _in(
            _AUDIO,
            "a_file_cut_short_is_truncated",
            "a_file_without_a_claimed_length_is_truncated_when_its_last_frame_is",
        ),
    ),
    8: Case("MP3 with a random middle", _in(_AUDIO, "a_file_with_a_random_middle_is_refused")),
    9: Case("no bytes at all", _in(_AUDIO, "what_is_not_sound_is_refused_by_its_bytes")),
    10: Case("random bytes called .mp3", _in(_AUDIO, "what_is_not_sound_is_refused_by_its_bytes")),
    11: Case(
        "an HLS playlist called .mp3",
        _in(
            _AUDIO,
            "a_playlist_opens_no_connection_and_no_file",
            "even_a_demuxer_that_opens_others_gets_nothing",
            "the_cell_opens_neither_files_nor_addresses_by_name",
        ),
    ),
    12: Case("ffconcat of /etc/passwd", _in(_AUDIO, "a_playlist_opens_no_connection_and_no_file")),
    13: Case(
        "SVG, HTML or PDF that is an MP3 too",
        _in(
            _AUDIO,
            "a_file_that_is_two_things_is_not_taken_for_sound",
            "what_hangs_behind_the_sound_is_not_in_the_result",
        ),
    ),
    14: Case(
        "ID3 title of script, cover of 50 MB",
        _in(_AUDIO, "titles_and_pictures_are_left_behind_unread", "a_title_cannot_forge_the_meters"),
    ),
    15: Case("10,000 chained Ogg streams", _in(_AUDIO, "ten_thousand_chained_streams_end_in_bounded_time")),
    16: Case("MP4 whose data lie elsewhere", _in(_AUDIO, "an_mp4_cannot_borrow_its_data_elsewhere")),
    17: Case("zip, zip slip, 42.zip", _in(_AUDIO, "what_is_not_sound_is_refused_by_its_bytes")),
    18: Case("hostile file names", _in(_UPLOADS, "18_a_file_name_is_for_reading_only")),
    19: Case(
        "Content-Type that lies",
        (
            *_in("hostile/test_uploads_told.py", "19_what_a_client_calls_its_bytes_decides_nothing"),
            *_in(_AUDIO, "the_name_decides_nothing"),
        ),
    ),
    20: Case(
        "Content-Length -1, a lie, chunks for ever",
        _in(
            _UPLOADS,
            "20_a_length_that_is_none_is_refused",
            "20_a_client_that_sends_less_than_it_said_leaves_nothing",
            "20_chunks_without_end_are_cut_off",
        ),
    ),
    21: Case(
        "10,000 multipart parts",
        _in(_UPLOADS, "21_ten_thousand_parts_are_one_file_that_is_not_audio", "21_a_form_is_no_json"),
    ),
    22: Case(
        "a field of 1 GB",
        _in(
            _UPLOADS,
            "22_a_gigabyte_in_a_field_is_refused_by_its_length",
            "22_a_gigabyte_that_hides_its_length_is_cut_off",
        ),
    ),
    23: Case(
        "slowloris",
        (
            *_in("hostile/test_web_floods.py", "23_who_trickles_bodies_stops_nobody"),
            *_in(_UPLOADS, "23_a_body_that_trickles_is_ended"),
            *_in("controller/wire/test_http_server.py", "who_connects_and_asks_nothing_is_let_go"),
        ),
    ),
    24: Case(
        "the same file 10,000 times",
        (
            *_in(_UPLOADS, "24_the_same_file_again_and_again_is_one_file_processed_once"),
            *_in(_RATES, "24_nobody_uploads_more_than_the_day_allows"),
        ),
    ),
    25: Case(
        "full square wave, DC, 20 kHz, -90 dB",
        _in(_AUDIO, "what_nobody_would_hear_is_no_sound", "a_full_scale_square_wave_is_tamed_and_said_to_be_clipped"),
    ),
    26: Case("10 minutes of silence with one word", _in(_AUDIO, "ten_minutes_of_silence_with_one_word_warn")),
    27: Case("10,000 ranges", _in("controller/test_api_media.py", "one_range_is_answered_and_many_are_not")),
    # pages and API
    28: Case(
        "onerror in a title, a name, a reason",
        (
            *_in(_REQUESTS, "28_29_text_stays_text"),
            *_in(_TEXT, "28_29_every_page_shows_whatever_a_node_or_a_stranger_wrote_as_text"),
            *_in(_TEXT, "28_29_nothing_runs_on_any_page_in_chromium"),
            *_in("web/manners/test_browser_sweeps.py", "hostile_names_never_run"),
            *_in("web/manners/test_pages.py", "hostile_text_is_only_text_on_every_page"),
            *_in("web/manners/test_pages.py", "hostile_text_is_only_text_on_the_pages_of_the_desk"),
        ),
    ),
    29: Case(
        "{{7*7}}",
        (
            *_in(_REQUESTS, "28_29_text_stays_text"),
            *_in(_TEXT, "28_29_every_page_shows_whatever_a_node_or_a_stranger_wrote_as_text"),
        ),
    ),
    30: Case(
        "a formula in a CSV export",
        _in(_ABUSE, "30_nothing_is_given_out_as_a_table", "30_a_title_stays_one_line_of_a_calendar"),
        "nothing is exported as CSV; what is shown is that, and the calendar",
    ),
    31: Case(
        "another commune's id on every route",
        (
            *_in(
                "controller/test_matrix.py",
                "every_route_answers_each_as_the_matrix_says",
                "every_route_of_the_api_has_its_line",
            ),
            *_in(
                _STRANGERS,
                "31_no_page_shows_another_communes_things",
                "31_no_form_of_a_page_touches_another_communes_things",
            ),
        ),
    ),
    32: Case("approved=true, commune_id, role", _in(_REQUESTS, "32_nobody_sets_what_is_not_theirs")),
    33: Case(
        "a form of another site",
        (
            *_in("hostile/test_web_requests.py", "33_every_form_of_every_page_refuses_another_sites_page"),
            *_in(_REQUESTS, "33_a_form_changes_nothing"),
            *_in("controller/test_api_rules.py", "another_sites_page_changes_nothing_with_our_cookie"),
            *_in("web/manners/test_pages.py", "a_form_from_another_site_is_refused"),
        ),
    ),
    34: Case(
        "a GET that changes something",
        (
            *_in("controller/test_api_rules.py", "reading_changes_nothing"),
            *_in("web/manners/test_pages.py", "looking_at_every_page_changes_no_row"),
        ),
    ),
    35: Case(
        "approving one's own",
        (
            *_in("controller/test_approvals.py", "the_author_does_not_answer_for_the_second_person"),
            *_in("controller/test_bulletins.py", "where_the_policy_asks_for_two_nobody_approves_their_own_words"),
        ),
    ),
    36: Case(
        "one person with two accounts",
        _in(_ABUSE, "36_two_accounts_of_one_person_are_told_by_the_audit_to_sit_at_one_address"),
        "they cannot be told from two people by machine: it is not refused, it is on record",
    ),
    37: Case(
        "an edit after the yes",
        _in("controller/test_approvals.py", "an_edit_ends_the_yes_and_the_first_version_is_heard_nowhere"),
    ),
    38: Case("approving what is past", _in("controller/test_approvals.py", "a_yes_that_comes_too_late_is_refused")),
    39: Case(
        "a code of the telephone again",
        (
            *_in("controller/people/test_factors.py", "a_code_counts_once"),
            *_in("controller/people/test_totp.py", "no_step_counts_twice_and_none_before_one_that_counted"),
        ),
    ),
    40: Case(
        "a session of a closed account",
        _in(
            "controller/people/test_accounts.py",
            "a_closed_account_is_out_at_once_with_its_machines_and_opens_without_them",
        ),
    ),
    41: Case(
        "alg none, HS for RS, kid of a path, jku",
        _in(
            _SIGNING,
            "any_other_algorithm_is_refused_whatever_the_signature",
            "a_header_that_says_more_is_refused",
            "an_unknown_key_is_refused",
        ),
    ),
    42: Case(
        "another Host",
        (
            *_in(_REQUESTS, "42_no_answer_repeats_the_host_it_was_asked_by"),
            *_in(_STRANGERS, "42_every_route_and_page_carries_the_careful_headers_and_no_foreign_host"),
        ),
    ),
    43: Case(
        "SQL in text, JSON nested 100,000 deep",
        (
            *_in(_REQUESTS, "43_what_is_no_request_is_refused_and_nothing_falls_over", "28_29_text_stays_text"),
            *_in(
                "hostile/test_described.py",
                "every_twentieth_operation_asked_once_breaks_nothing",
                "every_operation_answers_as_described_whatever_it_is_asked",
            ),
        ),
    ),
    44: Case(
        "30 February, the year 9999, a million dates",
        (
            *_in(_REQUESTS, "44_a_time_that_is_none_is_refused"),
            *_in("hostile/test_rules.py", "a_rule_that_nobody_means_is_refused_with_what_is_wrong"),
        ),
    ),
    45: Case(
        "a quarter past three",
        (
            *_in(_REQUESTS, "45_a_quarter_past_three_is_refused_with_the_hours"),
            *_in("controller/test_services_broadcasts.py", "nobody_can_wake_a_commune_at_a_quarter_past_three"),
        ),
    ),
    46: Case(
        "the whole province by somebody of a commune",
        _in(_ABUSE, "46_nobody_of_a_commune_aims_at_the_whole_province"),
    ),
    47: Case("volume 1000, -1, NaN", _in(_REQUESTS, "47_a_volume_that_is_none_is_refused")),
    48: Case(
        "a flood of websockets",
        (
            *_in(
                _FLOODS,
                "48_who_asks_for_websockets_gets_none_and_stops_nobody",
                "48_a_person_has_so_many_streams_and_no_more",
            ),
            *_in(
                "hostile/test_floods_and_sound.py",
                "16_under_a_flood_what_is_due_sounds_on_time_and_stop_silences",
            ),
        ),
    ),
    49: Case("a login of control characters", _in(_REQUESTS, "49_a_strange_login_is_nobody")),
    50: Case(
        "NFD, zero width, letters that look alike",
        (
            *_in("controller/test_services_rules.py", "a_name_hides_nothing"),
            *_in("controller/test_services_people.py", "a_login_has_plain_letters_only"),
            *_in(_VOICES, "the_same_letters_in_either_normal_form_sound_the_same"),
        ),
        "names may have letters of another script that look alike; logins may not",
    ),
    # addresses
    51: Case("127.0.0.1 in other clothes", _in(_ADDRESSES, "no_spelling_of_an_inner_address_is_connected_to")),
    52: Case(
        "mapped, NAT64 and carrier addresses",
        _in(_ADDRESSES, "an_inner_address_is_not_public", "no_spelling_of_an_inner_address_is_connected_to"),
    ),
    53: Case("169.254.169.254", _in(_ADDRESSES, "an_inner_address_is_not_public")),
    54: Case(
        "a name that changes its address",
        _in(
            _ADDRESSES,
            "a_name_that_turns_to_an_inner_address_is_connected_to_where_it_was_checked",
            "one_inner_address_among_several_is_enough_to_refuse",
        ),
    ),
    55: Case(
        "redirects inwards, and in circles",
        _in(
            _ADDRESSES,
            "a_redirect_is_checked_like_the_first_address",
            "a_redirect_to_the_internet_is_followed_and_a_loop_ends",
        ),
    ),
    56: Case(
        "schemes other than http",
        (
            *_in(_ADDRESSES, "what_is_no_plain_address_of_a_file_is_refused_before_anything_is_asked"),
            *_in(_AUDIO, "the_cell_opens_neither_files_nor_addresses_by_name"),
        ),
    ),
    57: Case(
        "user and password in an address",
        _in(_ADDRESSES, "what_is_no_plain_address_of_a_file_is_refused_before_anything_is_asked"),
    ),
    58: Case(
        "a stream without end, without bytes, or packed",
        _in(
            _ADDRESSES,
            "an_endless_answer_ends_at_the_limit",
            "who_says_nothing_is_not_waited_for",
            "an_answer_that_is_not_what_was_asked_for_is_refused",
        ),
    ),
    59: Case(
        "a playlist that leads inwards",
        _in(_AUDIO, "a_playlist_opens_no_connection_and_no_file", "even_a_demuxer_that_opens_others_gets_nothing"),
    ),
    60: Case(
        "a stream of another codec",
        _in(_AUDIO, "an_unwanted_codec_in_a_wanted_container_is_unsupported"),
        "of a file; no stream is relayed yet",
    ),
    # messages
    61: Case(
        "unsigned",
        (
            *_in(_MESSAGES, "unsigned_and_oversized_messages_are_counted_and_nothing_more"),
            *_in(_ORDERS, "a_document_that_is_not_right_is_dropped_and_counted"),
        ),
    ),
    62: Case(
        "by the wrong key",
        (
            *_in(_MESSAGES, "a_day_that_another_centre_signed_does_nothing"),
            *_in(_ORDERS, "a_document_that_is_not_right_is_dropped_and_counted"),
            *_in(_SIGNING, "a_node_cannot_sign_for_the_centre"),
        ),
    ),
    63: Case(
        "by the right key, for another place",
        (
            *_in(_MESSAGES, "on_every_other_topic_the_day_is_dropped_and_counted"),
            *_in(_ORDERS, "a_document_that_is_not_right_is_dropped_and_counted"),
            *_in(_SIGNING, "a_document_for_another_place_is_refused"),
        ),
    ),
    64: Case("expired", _in(_ORDERS, "a_document_that_is_not_right_is_dropped_and_counted")),
    65: Case("not yet valid", _in(_ORDERS, "a_document_that_is_not_right_is_dropped_and_counted")),
    66: Case(
        "valid for ten years",
        _in(_ORDERS, "a_document_that_is_not_right_is_dropped_and_counted"),
        "settings, holds and stops stand until they are replaced, and say ten years",
    ),
    67: Case(
        "the same again; after a boot; after a wipe",
        (
            *_in(
                _MESSAGES, "a_recorded_day_in_any_order_changes_nothing", "a_recorded_day_changes_nothing_after_a_boot"
            ),
            *_in(
                _ORDERS,
                "the_same_message_again_is_no_drop",
                "an_older_version_has_no_effect_even_after_a_restart",
                "a_command_twice_is_once_even_after_a_restart",
            ),
        ),
        "after a wipe the node knows nothing: only the ends of documents bound what is replayed to it",
    ),
    68: Case("an older version", _in(_ORDERS, "an_older_version_has_no_effect_even_after_a_restart")),
    69: Case(
        "the same broadcast with other audio",
        (
            *_in(_MESSAGES, "the_same_broadcast_with_other_audio_is_not_approved"),
            *_in("edge_agent/protocol/test_content.py", "whatever_changes_the_sound_changes_the_content_hash"),
        ),
    ),
    70: Case(
        "the hash is right, the size a lie",
        _in("edge_agent/test_fetcher.py", "more_than_the_promised_size_is_not_taken"),
    ),
    71: Case(
        "JSON with doubled keys, NaN, a tail",
        (
            *_in(
                "edge_agent/protocol/test_messages.py",
                "hostile_json_is_malformed_and_nothing_worse",
                "numbers_that_json_does_not_know_are_malformed",
            ),
            *_in(_SIGNING, "what_is_not_exactly_a_token_is_refused"),
        ),
    ),
    72: Case(
        "5 MB",
        (
            *_in(_CERTIFICATE, "five_megabytes_are_not_taken_in"),
            *_in(_SIGNING, "a_message_of_the_largest_size_is_read_and_a_larger_one_neither_made_nor_read"),
        ),
    ),
    73: Case(
        "a forged message that is kept",
        _in(
            _CERTIFICATE,
            "nothing_of_a_strangers_is_kept_but_under_its_four_topics",
            "a_kept_message_of_the_centres_cannot_be_wiped_out_by_a_stranger",
        ),
    ),
    74: Case(
        "a topic of wildcards, NUL, 65 kB",
        (
            *_in(_CERTIFICATE, "a_topic_that_is_none_reaches_nobody_and_stops_nobody"),
            *_in("edge_agent/protocol/test_topics.py", "a_topic_that_is_not_ours_is_refused"),
        ),
    ),
    75: Case(
        "a certificate's name of # or +",
        _in(_CERTIFICATE, "a_certificate_in_a_wild_name_opens_nothing_of_others"),
    ),
    76: Case(
        "the centre's client id",
        (
            *_in(_CERTIFICATE, "a_client_id_or_user_name_makes_nobody_somebody_else"),
            *_in("controller/wire/test_two_ends.py", "nobody_can_take_the_centres_place"),
        ),
    ),
    77: Case(
        "a last will on another's topic",
        _in(_CERTIFICATE, "a_last_will_speaks_under_the_strangers_own_name_or_not_at_all"),
    ),
    78: Case("heard, of what was never sent", _in(_LIES, "78_what_a_node_says_of_anothers_play_moves_nothing")),
    79: Case("a time of 2099", _in(_LIES, "79_a_time_of_2099_is_a_claim_and_no_more")),
    80: Case("1,000 messages a second", _in(_LIES, "80_a_node_that_floods_silences_nobody_else")),
    81: Case(
        "a forged STOP; a STOP again",
        (
            *_in(_MESSAGES, "a_stop_that_a_thief_releases_stands"),
            *_in(_ORDERS, "a_forged_release_changes_nothing", "what_strangers_send_stays_without_effect_and_bounded"),
        ),
    ),
    82: Case(
        "a drill's yes for the real thing",
        (
            *_in("edge_agent/protocol/test_content.py", "a_yes_to_a_drill_is_none_to_the_real_thing"),
            *_in("controller/test_emergencies.py", "a_yes_to_a_drill_is_none_to_the_real_thing"),
        ),
        "drills have no key of their own: what tells them apart is in what is approved (decision 0010)",
    ),
    # speech; it stands in audio/ and is used by the demo alone so far
    83: Case("shell characters in a text", _in(_VOICES, "text_is_never_taken_for_a_command")),
    84: Case("SSML that names a file", _in(_VOICES, "ssml_is_read_out_not_obeyed")),
    85: Case("--output_file", _in(_VOICES, "text_is_never_taken_for_a_command")),
    86: Case("50,000 characters", _in(_VOICES, "text_without_words_or_end_is_refused")),
    87: Case("nothing but emoji", _in(_VOICES, "text_without_words_or_end_is_refused")),
    88: Case("words hidden by bidi and zero width", _in(_VOICES, "what_is_spoken_is_what_is_shown")),
    # enrolment, updates, files
    89: Case(
        "a claim code again",
        _in("controller/test_services_nodes.py", "a_code_counts_once", "a_code_is_worth_nothing_after_a_day"),
    ),
    90: Case(
        "a request for an authority's certificate",
        _in("controller/wire/test_keys_and_certificates.py", "a_request_gets_nothing_but_a_certified_key"),
    ),
    91: Case(
        "a bundle unsigned, older, of another board",
        (
            *_in(
                "edge_agent/updates/test_slots.py",
                "a_release_of_a_foreign_key_or_none_is_refused",
                "a_release_that_is_not_for_this_node_is_refused",
                "what_is_not_made_of_plain_files_is_refused_even_when_it_is_signed",
                "a_truncated_bundle_is_refused_by_its_hash_or_by_its_end",
                "a_key_is_pinned_once_and_the_agent_cannot_bring_another",
            ),
            *_in(
                "edge_agent/updates/test_service.py", "a_release_that_is_not_for_this_node_is_refused_and_not_fetched"
            ),
        ),
        "and a whole node, which is booted, by `make box`: tests/box/test_updates.py",
    ),
    92: Case(
        "orders edited on the card",
        _in(_ORDERS, "a_stored_order_that_was_tampered_with_is_left_out"),
        "who has the card and its key can do all that the node can; see SECURITY.md",
    ),
    93: Case(
        "a link in the cache to /etc",
        _in("edge_agent/test_fetcher.py", "a_link_in_the_media_directory_is_no_recording"),
    ),
    94: Case(
        "a planted emergency file",
        (
            *_in("edge_agent/test_voucher.py", "a_file_that_was_damaged_is_found_a_minute_before_it_is_due"),
            *_in(
                "edge_agent/test_fetcher.py",
                "wrong_bytes_are_never_put_in_place",
                "inline_audio_with_another_hash_is_not_kept",
            ),
        ),
    ),
}
