"""The rules that the attacks are about, by number, and what shows each: rows of the table, and other tests.

A row names its rules itself. Here stand the tests elsewhere, so that nothing is shown twice.
"""

from __future__ import annotations

from typing import Final

RULES: Final[dict[str, str]] = {
    "1": "An unknown state is refused, without a call to Duo, and logged.",
    "2": "A valid state without its cookie is refused.",
    "3": "A state with another browser's cookie is refused, and stays good for its owner.",
    "4": "A callback that was completed shows the same page again: no exchange, no new event.",
    "5": "Fifty callbacks at once make one exchange.",
    "6": "A state past its life is expired.",
    "7": "A state with another login's code allows nothing.",
    "8": "Nothing of one tenant is good at another.",
    "9": "A state has 128 bits at least, and is never given twice.",
    "10": "A token's algorithm and signature are verified.",
    "11": "A token's issuer, audience and times are verified.",
    "12": "A token's nonce is verified.",
    "13": "A token's user name is the very one that was asked for.",
    "14": "An auth_result that denies, is absent, or is unknown denies; a bypass is no MFA.",
    "15": "An error in place of a code ends the challenge; its text is not shown.",
    "16": "A repeated parameter is refused.",
    "17": "A return URL that isn't listed is denied, before any prompt.",
    "17b": "A relayed challenge link never passes for the one who relayed it.",
    "17c": "A wrong, foreign, old or repeated return code denies, or repeats what stands.",
    "18": "Other methods than GET are refused.",
    "19": "Every answer has safe headers.",
    "20": "Cookies are for this host and TLS alone, out of scripts' reach, and opaque.",
    "21": "Another user's or tenant's remembered browser is challenged.",
    "22": "A remembered browser past its end is challenged.",
    "23": "A tenant's shorter cap counts.",
    "24": "What was forgotten is forgotten before the next login is decided.",
    "25": "Redis holds browsers' ids as keyed hashes alone.",
    "26": "A step-up that isn't met is challenged.",
    "27": "A user who had too many prompts gets no further one.",
    "28": "Denials and a report of fraud are followed by a cool-down.",
    "30": "With Duo away the failmode decides; by default it is closed.",
    "31": "An Action that fails, or takes too long, denies.",
    "32": "At the broker each service may read its own topics alone.",
    "33": "At the broker each service may write its own topics alone.",
    "34": "Where a tenant wants signed events, one that isn't is a dead letter.",
    "35": "The same id with another payload is a conflict; the first stands.",
    "37": "Plain text and unknown authorities are refused.",
    "38": "At Redis the least rights suffice.",
    "39": "Certificates are always verified, and only listed hosts are called.",
    "40": "Forwarding headers of nobody in particular are ignored.",
    "41": "Nothing is unpickled.",
    "42": "No secret is in a log, a topic, a metric or a page.",
    "43": "Settings show no secret.",
    "44": "A secret that is replaced is used.",
    "45": "A name with line feeds is one line of a log.",
    "46": "A user may be named by a pseudonym.",
    "48": "Each decision and each outcome is told once.",
}

_ATTACKS: Final = "tests/attacks/test_attacks.py::"
_RIGHTS: Final = (
    "tests/integration/test_broker_rights.py::test_each_service_does_its_own_work_and_no_others"
)
_PROCESS: Final = "tests/unit/test_process_settings.py::"
ELSEWHERE: Final[dict[str, tuple[str, ...]]] = {
    "1": ("tests/unit/test_challenger_bad_input.py::test_what_duo_would_not_send_moves_nothing",),
    "5": (
        "tests/unit/test_challenger_walk.py::test_fifty_callbacks_at_once_make_one_exchange",
        "tests/faults/test_killed_challenger.py::test_two_challengers_at_once",
        "tests/faults/test_killed_challenger.py::test_killed_at_each_step_of_a_browsers_way",
    ),
    "10": ("tests/integration/test_duo_calls.py::test_a_forged_token_is_refused",),
    "14": ("tests/unit/test_duo_answer.py::test_only_two_allows_allow",),
    "17": ("tests/unit/test_tenant.py::test_any_other_return_url_is_refused",),
    "17b": (
        "tests/unit/test_relying_party.py::test_a_relayed_link_is_worthless",
        "tests/unit/test_relying_party.py::test_a_code_counts_only_for_the_browsers_own_login",
        "tests/e2e/test_browser.py::test_a_relayed_link_lets_nobody_in",
    ),
    "19": (f"{_ATTACKS}test_every_answer_had_safe_headers",),
    "22": (
        "tests/unit/test_remember.py::test_an_unused_browser_ends_after_seven_days",
        "tests/unit/test_remember.py::test_a_used_browser_ends_after_thirty_days",
    ),
    "25": ("tests/integration/test_store_expiry.py::test_nothing_in_a_key_names_anybody",),
    "26": ("tests/unit/test_decision_laws.py::test_a_step_up_beats_a_remembered_browser",),
    "27": ("tests/integration/test_decider.py::test_ten_logins_in_one_batch_stay_in_the_budget",),
    "28": (
        "tests/unit/test_budget.py::test_a_report_of_fraud_begins_a_cool_down_at_once",
        "tests/contract/test_store_refusals.py::test_two_refusals_leave_no_prompt_until_the_cool_down_is_over",
    ),
    "30": (
        "tests/integration/test_simulator.py::test_health_check_refuses_other_clocks",
        "tests/integration/test_duo_misbehaving.py::test_a_fault_has_its_error",
        "tests/faults/test_challenger_outages.py::test_the_store_killed_before_a_visit_and_before_a_callback",
    ),
    "31": ("tests/unit/test_decision.py::test_each_row_speaks_where_its_condition_holds",),
    "32": (_RIGHTS,),
    "33": (_RIGHTS,),
    "34": (
        "tests/integration/test_signed_events.py::test_a_signing_client_goes_the_whole_way_and_another_nowhere",
    ),
    "37": (
        "tests/integration/test_encrypted_connections.py::test_redis_over_tls",
        "tests/integration/test_encrypted_connections.py::test_kafka_over_tls_with_a_login",
        f"{_PROCESS}test_contradictions_are_refused",
    ),
    "38": ("tests/unit/test_documents.py::test_what_is_called_at_redis_is_granted_and_no_more",),
    "39": (
        "tests/integration/test_duo_calls.py::test_tls_is_always_verified",
        "tests/unit/test_duo_hosts.py::test_other_hosts_dont",
    ),
    "40": (
        "tests/unit/test_web_server.py::test_it_says_nothing_of_itself_and_believes_no_header",
        "tests/unit/test_challenger_addresses.py::test_what_is_odd_is_logged_with_the_browsers_address",
    ),
    "42": (
        f"{_ATTACKS}test_no_secret_was_seen_anywhere",
        "tests/unit/test_challenger_canaries.py::test_no_secret_of_a_walk_is_seen_anywhere",
        "tests/integration/test_canaries.py::test_canaries_are_seen_nowhere",
    ),
    "43": (
        f"{_PROCESS}test_no_secret_is_ever_shown",
        "tests/unit/test_tenant_files.py::test_draft_shows_no_secret",
        "tests/unit/test_sealing.py::test_sealed_secret_shows_nothing",
    ),
    "44": (
        "tests/integration/test_replaced_secrets.py::test_a_replaced_redis_password_is_used_for_the_next_connection",
        "tests/unit/test_secret_files.py::test_a_secret_sealed_with_a_replaced_key_opens_without_a_restart",
    ),
    "45": (f"{_ATTACKS}test_every_line_of_a_log_is_json",),
    "48": (f"{_ATTACKS}test_what_must_always_hold_has_held",),
}
