"""rows.py - what does the plan for security and reliability ask for, and what here answers it?

One row for each number of the plan: what it is, its target, and what runs it. An answer is a list of tests of pytest (a
file, or file::test; `env` makes them longer), of unit programs, of fuzzers, of stories, a target of make with the line that has
its figure, or what such a target has left in build/, where it takes so long that it is run by itself. A row that cannot be had here has a probe, which says why."""

import collections
import os
import pathlib
import shutil

Row = collections.namedtuple("Row", "id what target by")
Pytest = collections.namedtuple("Pytest", "tests env", defaults=({},))
Units = collections.namedtuple("Units", "names env", defaults=({},))
Fuzz = collections.namedtuple("Fuzz", "names")
Stories = collections.namedtuple("Stories", "names")
Make = collections.namedtuple("Make", "target figure seconds")  # figure: an expression; its groups are shown
Kept = collections.namedtuple("Kept", "target file names")  # what a target of make has left: a file of figures, and which
Absent = collections.namedtuple("Absent", "why")


def no_layers():
    """Writes that a power cut would lose are seen by a device of the kernel's, or by a file system of a program's."""
    if not pathlib.Path("/dev/mapper/control").exists():
        return "no /dev/mapper/control: dm-log-writes is not to be had"
    return "nothing here drives dm-log-writes"


def no_library_matrix():
    there = [name for name in ("qemu-system-x86_64", "swtpm") if shutil.which(name)]
    kvm = os.access("/dev/kvm", os.R_OK | os.W_OK)
    return (f"other kernels and libraries need machines of their own: {', '.join(there) or 'no qemu, no swtpm'}; "
            f"/dev/kvm {'is there' if kvm else 'is not to be used'}; `make check-system-qemu` has the suite's own kernel")


def no_uninstrumented():
    return "libmsgpackc, libsodium and libev of the system are not instrumented: what they write is taken for unset"


ROWS = (
    Row("F-01", "frames, cut anywhere", "0 findings", Fuzz(["frame", "event"])),
    Row("F-02", "requests and what is made of them", "0 findings", Fuzz(["request", "incoming", "forward"])),
    Row("F-03", "streams and the replies of each family", "0 findings", Fuzz(
        ["sse", "ndjson", "event_stream", "anthropic", "bedrock", "cohere", "gemini", "mistral", "ollama", "openai_chat",
         "openai_completions", "openai_responses"])),
    Row("F-04", "JSON, answers, exports, reports", "0 findings", Fuzz(
        ["json", "answer", "answer_chat", "results", "csv", "reports", "estimate"])),
    Row("F-05", "native calls: the host is the vault's", "0 findings", Fuzz(["native", "bridge"])),
    Row("F-06", "the vault's file", "0 findings", Fuzz(["vault"])),
    Row("F-07", "journal and audit log", "0 findings", Fuzz(["journal", "audit"])),
    Row("F-08", "configuration and zones", "0 findings", Fuzz(["config", "zone"])),
    Row("F-09", "what /proc and sandboxes say", "0 findings", Fuzz(["evidence"])),
    Row("F-10", "LISTEN_FDS and the environment", "all as listed: a table of cases", Units(["service"])),
    Row("F-11", "the cache's file", "0 findings", Fuzz(["cache", "cache_file"])),
    Row("F-12", "the whole daemon: callers, providers and a clock that do as it comes", "0 findings, nothing left", Fuzz(["broker"])),
    Row("F-13", "the library before a hostile broker", "0 findings", Fuzz(["client"])),

    Row("T-01", "all tests under ASan and UBSan", "0 reports", Make("asan", r"(\d+ passed, \d+ failed)", 2400)),
    Row("T-02", "valgrind", "0 lost, 0 errors", Make("valgrind", r"(\d+ passed, \d+ failed)", 2400)),
    Row("T-03", "TSan", "0 races", Make("tsan", r"(\d+ passed, \d+ failed)", 3000)),
    Row("T-04", "MSan", "0 reports", Absent(no_uninstrumented)),
    Row("T-05", "clang-tidy, both compilers' warnings", "0", Make("tidy", r"(\d+) warnings? generated", 3000)),
    Row("T-06", "a heap that fills what it gives and takes", "the same results", Units(
        ["*"], {"MALLOC_PERTURB_": "165"})),

    Row("T-30", "one allocation fails", "0 crashes", Pytest(
        ["test_scarce.py::test_one_allocation_fails"], {"LLMB_SCARCE_RUNS": "1000", "LLMB_TEST_TIMEOUT": "580"})),
    Row("T-31", "all fail from one on", "an end by choice; started again it serves", Pytest(
        ["test_scarce.py::test_all_fail_from_one_on"], {"LLMB_SCARCE_RUNS": "200", "LLMB_TEST_TIMEOUT": "580"})),
    Row("T-32", "one in a hundred fails", "0 crashes; the ledger is right", Pytest(
        ["test_scarce.py::test_one_in_a_hundred_fails"], {"LLMB_SCARCE_SECONDS": "30"})),
    Row("T-33", "system calls fail while the vault is written", "the vault is the old or the new one", Pytest(
        ["test_vault_faults.py"])),
    Row("T-34", "the disk is full", "refused soon; back by itself", Pytest(
        ["test_disk.py::test_a_full_disk", "test_disk.py::test_what_is_kept_is_answered_from_a_full_disk"])),
    Row("T-35", "the disk is read-only, or gone", "the same", Pytest(
        ["test_disk.py::test_a_disk_that_can_only_be_read_when_it_starts",
         "test_disk.py::test_a_disk_that_an_error_made_read_only", "test_disk.py::test_a_disk_that_is_lost_twice",
         "test_disk.py::test_another_disk_in_its_place"])),
    Row("T-36", "power is lost", "vault and ledger open at each point", Absent(no_layers)),
    Row("T-40", "kill -9 under load", "nothing told is lost; none billed is missing", Pytest(
        ["test_killed.py"], {"LLMB_ROUNDS": "200", "LLMB_TEST_TIMEOUT": "500"})),
    Row("T-41", "clocks that jump, sleep", "no budget comes back", Stories(
        ["clock_jumps", "clock_sleep", "clock_autumn", "clock_month", "clock_week", "f_clock"])),

    Row("T-50", "no reply, a hanging handshake", "told in time; others go on", Pytest(
        ["test_faults.py::test_silence_before_the_head", "test_faults.py::test_tls_that_stalls", "test_timers.py",
         "test_route_dead.py"])),
    Row("T-51", "FIN and RST at each byte of a stream", "never a success", Pytest(
        ["test_cut_anywhere.py"], {"LLMB_CUTS": "1", "LLMB_TEST_TIMEOUT": "300"})),
    Row("T-52", "a kept connection closes before the reply", "one body at the provider", Pytest(
        ["test_faults.py::test_a_reused_connection_that_closes_gets_one_body"])),
    Row("T-53", "a byte now and then", "ended by the deadline", Stories(["f_drip", "f_stall", "t_slow_bounds"])),
    Row("T-54", "garbage, floods, wrong lengths", "an error; memory within 8 MiB", Pytest(
        ["test_hostile_provider.py::test_what_is_no_answer", "test_hostile_provider.py::test_heads_without_end",
         "test_faults.py::test_a_huge_header", "test_faults.py::test_a_flood_of_interim_replies"])),
    Row("T-55", "bombs", "refused; memory within 8 MiB", Pytest(
        ["test_hostile_provider.py::test_a_bomb_although_nobody_asked_for_a_coding",
         "test_hostile_provider.py::test_bodies_that_cost_much"])),
    Row("T-56", "redirects", "nothing is asked there", Pytest(
        ["test_hostile_provider.py::test_no_redirect_is_followed",
         "test_hostile_provider.py::test_no_redirect_of_a_list_is_followed"])),
    Row("T-57", "certificates that are wrong", "refused", Pytest(
        ["test_faults.py::test_a_bad_certificate_is_refused", "test_route_faults.py::test_a_certificate_that_changes"])),
    Row("T-58", "names that lead inward, or nowhere", "refused; the loop goes on", Pytest(["test_inward.py"])),
    Row("T-59", "HTTP/2", "it is not spoken", Pytest(["test_kept_connections.py::test_no_other_http_is_spoken"])),
    Row("T-60", "a provider that echoes the key", "no caller sees it", Pytest(
        ["test_secrets.py::test_no_part_of_it_is_shown_where_a_provider_quotes_it",
         "test_secrets.py::test_an_error_inside_a_stream_shows_no_part_of_it",
         "test_relay_faults.py::test_a_key_that_is_echoed_is_not_passed_on"])),
    Row("T-61", "nothing spins when idle", "2 ticks in 2 s", Pytest(["test_leaks.py::test_idle_means_idle"])),
    Row("T-62", "connections to 100 hosts; descriptors after 10,000 calls", "bounded, as before", Pytest(
        ["test_kept_connections.py::test_very_many_hosts", "test_leaks.py::test_sequential_calls_leave_nothing",
         "test_leaks.py::test_concurrent_calls_leave_nothing"], {"LLMB_LONG": "1", "LLMB_TEST_TIMEOUT": "200"})),

    Row("T-70", "clients that die in each state", "all is given back", Pytest(
        ["test_wire.py::test_a_hundred_clients_that_vanish", "test_cache.py::test_a_crowd_comes_and_goes",
         "test_limits.py::test_killed_clients_leave_nothing_behind", "test_bridge_hostile.py::test_who_hangs_up_cancels"])),
    Row("T-71", "who never reads", "bounded, then hung up on", Pytest(
        ["test_wire.py::test_a_client_that_never_reads_is_bounded",
         "test_shares.py::test_answers_that_nobody_reads_are_bounded_together",
         "test_bridge_hostile.py::test_who_never_reads_is_hung_up_on"])),
    Row("T-72", "garbage, half frames, deep arrays", "closed; memory bounded", Pytest(
        ["test_wire.py::test_a_length_over_the_ceiling", "test_wire.py::test_what_is_no_frame",
         "test_wire.py::test_a_million_nested_arrays", "test_wire.py::test_a_million_small_values",
         "test_wire.py::test_no_hello_at_all"])),
    Row("T-73", "very many connections of one user", "others get in", Pytest(
        ["test_policy.py::test_one_caller_has_so_many_connections_and_calls",
         "test_bridge_hostile.py::test_very_many_connections"])),
    Row("T-74", "a flood of descriptors", "none is kept", Pytest(["test_passed_fds.py"])),
    Row("T-75", "memfds that are no attachment", "refused", Pytest(
        ["test_wire.py::test_descriptors_beside_the_bytes_are_not_kept", "test_behalf.py::test_what_is_no_program_is_refused"])),
    Row("T-76", "a noisy neighbour", "turns are fair", Stories(["queue_fair", "fair_writing", "queue_labels"])),
    Row("T-77", "a million requests, one in a hundred spoilt", "below 1 KiB by 1,000; the ledger is the bill", Kept(
        "soak REQUESTS=1000000", "soak.json", ("requests", "memory by 1,000 requests, KiB", "sockets left", "descriptors left",
                                               "requests: in the ledger, on the bill", "rows that contradict the bill"))),
    Row("T-78", "what the broker adds to a call", "p50 below 300 us", Make(
        "bench BENCH=--quick", r"one call of 1 KiB at a time, p50 \| (.*) \|$", 1800)),

    Row("T-80", "a key in a core", "0", Pytest(
        ["test_canary.py::test_a_crash_leaves_no_core", "test_canary.py::test_a_core_of_a_build_that_permits_one_lacks_it"])),
    Row("T-81", "a key in the daemon's memory", "in closed pages alone; 0 when locked", Pytest(
        ["test_canary.py::test_of_an_idle_daemon_only_shut_pages_have_it",
         "test_canary.py::test_of_a_daemon_at_work_one_open_page_more_has_it",
         "test_canary.py::test_of_a_locked_one_none_has_it"])),
    Row("T-82", "a key in a client", "0", Pytest(["test_canary.py::test_no_caller_is_told"])),
    Row("T-83", "a key in arguments and variables", "0", Pytest(
        ["test_canary.py::test_no_argument_and_no_variable_has_it"])),
    Row("T-84", "a key in system calls", "0", Pytest(
        ["test_canary.py::test_no_call_of_the_daemon_has_it", "test_canary.py::test_no_call_of_a_client_has_it"])),
    Row("T-85", "a key in logs and errors", "0", Pytest(
        ["test_canary.py::test_no_error_tells", "test_audit.py::test_no_key_is_in_it"])),
    Row("T-86", "a key in files", "0", Pytest(
        ["test_canary.py::test_no_file_has_it", "test_canary.py::test_no_open_file_has_it"])),
    Row("T-87", "a key in the helper", "0 after locking", Pytest(["test_sources.py::test_after_locking_nobody_has_it"])),
    Row("T-88", "SSLKEYLOGFILE", "no line", Pytest(["test_canary.py::test_no_key_log_is_written"])),

    Row("T-90", "another user", "refused, recorded", Pytest(
        ["test_identity.py::test_another_user_is_refused_though_the_socket_is_open",
         "test_audit.py::test_another_user_is_refused_and_recorded"])),
    Row("T-91", "debuggers, /proc/PID/mem, also while it starts", "0 get in", Pytest(["test_attach.py"])),
    Row("T-92", "who calls: sandboxes, links, pids used again", "nobody is the host who is not", Pytest(
        ["test_identity.py"])),
    Row("T-93", "a profile and each operation", "as the table says", Pytest(
        ["test_policy.py::test_a_profile_names_all_that_a_sandbox_may_do", "test_policy.py::test_the_first_rule_that_fits_holds"])),
    Row("T-94", "systemd-analyze security", "system 2.0, user 6.5 at most", Pytest(
        ["test_units.py::test_how_closed_they_are", "test_units.py::test_systemd_understands_them"])),
    Row("T-95", "packages in a Debian that boots", "install, upgrade, downgrade, purge", Make(
        "check-system", r"(\d+ passed, \d+ failed)", 1200)),
    Row("T-96", "modes and owners of what is installed", "the exact list", Pytest(["test_install.py", "test_installed.py"])),
    Row("T-97", "other libraries and kernels", "as section 3.1 says", Absent(no_library_matrix)),
    Row("T-98", "an environment that is poisoned", "no effect", Pytest(["test_process.py"])),

    Row("coverage", "lines of parsers, exchange, limit, route, vault", "90 of 100", Kept(
        "coverage", "coverage.json", ("protocol", "protocol/base", "brokerd/dialect", "brokerd/exchange", "brokerd/limit",
                                      "brokerd/route", "brokerd/vault", "all"))),
)
