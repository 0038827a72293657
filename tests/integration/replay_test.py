# SPDX-License-Identifier: Apache-2.0
"""Decisions of the real server: they are listed, made again to the byte, also after a restart and from a file, and a changed record is found."""
import json

from platform_process import Platform, wait_until

SPEC = "name: {name}\nresources: {{cpus: {cpus}, memory: 0.25}}\nrun: sleep 0.2\n"
NAMES = ("first", "second", "third")


def decision_of(platform, name):
    return platform.get_json("explain", f"task/{name}")["decision_id"]


def listed(platform):
    return [decision["id"] for decision in platform.api("GET", "/v1/decisions").json["decisions"]]


def places_and_replays(platform):
    for name in NAMES:
        platform.create(SPEC.format(name=name, cpus=0.5))
    for name in NAMES:
        platform.wait_for_state(name, "SUCCEEDED")
        replayed = platform.get_json("sim", "replay-decision", decision_of(platform, name))
        assert replayed["identical"] is True and replayed["outcome"] == "place" and replayed["nodes"] == 1, replayed
    attempt = platform.attempts("first")[0]
    assert attempt["decision_id"] == decision_of(platform, "first"), attempt


def a_refusal_is_recorded(platform):
    platform.cli("task", "create", "-y", "-f", "-", input=SPEC.format(name="vast", cpus=4000), code=None)
    wait_until(lambda: platform.task("vast").get("state") == "FAILED", "a refusal")
    assert "identical" in platform.cli("sim", "replay-decision", decision_of(platform, "vast")).out


def a_changed_record_is_found(platform):
    file = platform.folder / "decision.json"
    platform.cli("sim", "replay-decision", decision_of(platform, "first"), "--save", file)
    platform.cli("sim", "replay-decision", "--file", file)
    record = json.loads(file.read_text())
    record["state"]["nodes"][0]["cordoned"] = True
    file.write_text(json.dumps(record))
    changed = platform.get_json("sim", "replay-decision", "--file", file, code=1)
    assert changed["identical"] is False and "answer.picks" in changed["difference"], changed
    assert "--file" in platform.cli("sim", "replay-decision", code=2).err


def strangers_see_nothing(platform):
    decision = decision_of(platform, "first")
    assert platform.api("GET", f"/v1/decisions/{decision}", key="sk-none").status == 401
    assert platform.api("GET", "/v1/decisions/dc_00000000000000000000000000").status == 404
    assert platform.api("GET", "/v1/decisions/first").status == 400


def a_restart_keeps_them(platform):
    before, first = listed(platform), decision_of(platform, "first")
    assert len(before) >= 4, before
    platform.kill("server")
    platform.start_server()
    assert listed(platform)[-len(before):] == before
    platform.cli("sim", "replay-decision", first)
    platform.wait_for_node()
    platform.create(SPEC.format(name="later", cpus=0.5))
    platform.wait_for_state("later", "SUCCEEDED")
    platform.cli("sim", "replay-decision", decision_of(platform, "later"))


def a_restart_that_keeps_fewer_forgets_the_oldest(platform):
    before, first = listed(platform), decision_of(platform, "first")
    refused = platform.cli("server", "--decisions-kept", "0", "--state-dir", platform.state, code=None)
    assert refused.code != 0 and "--decisions-kept" in refused.out + refused.err, (refused.code, refused.out, refused.err)
    platform.kill("server")
    platform.more = ("--decisions-kept", "2", "--decision-log-mib", "1")
    platform.start_server()
    assert listed(platform) == before[:2], "the newest two"
    forgotten = platform.cli("sim", "replay-decision", first, code=None)
    assert forgotten.code == 3 and "keeps the newest 2, 1 MiB of them" in forgotten.err and "--decisions-kept" in forgotten.err, forgotten.err
    platform.cli("sim", "replay-decision", before[1])
    platform.wait_for_node()
    platform.create(SPEC.format(name="fewer", cpus=0.5))
    platform.wait_for_state("fewer", "SUCCEEDED")
    platform.cli("sim", "replay-decision", decision_of(platform, "fewer"))
    kept = listed(platform)
    assert len(kept) == 2, kept
    platform.kill("server")
    platform.more = ()
    platform.start_server()
    assert listed(platform) == kept, "what was forgotten is not in the store either"


if __name__ == "__main__":
    with Platform(roles=True) as platform:
        places_and_replays(platform)
        a_refusal_is_recorded(platform)
        a_changed_record_is_found(platform)
        strangers_see_nothing(platform)
        a_restart_keeps_them(platform)
        a_restart_that_keeps_fewer_forgets_the_oldest(platform)
    print("decisions are made again to the byte")
