#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""A site's hours to come, by real processes: stated over the command line, read by plans, waited for by work, replayed, kept over a restart."""
import json
from datetime import datetime, timedelta, timezone

from platform_process import Platform, wait_until

HOURS = 24
WAITS = """\
name: night
placement: {{optimize: {optimize}}}
deadline: '{deadline}'
time_limit: 30m
resources: {{cpus: 0.5, memory: 0.25}}
run: echo done
"""


# The hour in which the test began: it may end in the next one.
BEGAN = datetime.now(timezone.utc).replace(minute=0, second=0, microsecond=0)


def hour(ahead=0):
    return BEGAN + timedelta(hours=ahead)


def text(time):
    return time.strftime("%Y-%m-%dT%H:%M:%SZ")


def csv(carbon, percent, first=0):
    rows = [f"{text(hour(first + i))},{c},{p}" for i, (c, p) in enumerate(zip(carbon, percent))]
    return "\n".join(["hour,carbon_g_per_kwh,price_percent", *rows]) + "\n"


def waits(optimize):
    return WAITS.format(optimize=optimize, deadline=text(hour(12)))


def state(platform, content, code=0):
    file = platform.folder / "day.csv"
    file.write_text(content)
    return platform.cli("site", "outlook", "local", "--file", file, "--source", "grid operator", "-o", "json", code=code)


def bad_ones_are_refused(platform):
    assert "states no outlook" in platform.cli("site", "outlook", "local", code=3).err
    assert "day.csv:3: column hour" in state(platform, "hour,price_percent\n" + f"{text(hour())},50\n{text(hour(2))},50\n", code=2).err
    assert "all hours are over" in state(platform, csv([1], [50], first=-2), code=2).err
    assert "lies in the future" in state(platform, csv([1], [50], first=2), code=2).err
    path = f"/v1/sites/{platform.api('GET', '/v1/sites').json['sites'][0]['id']}/outlook"
    answer = platform.api("PUT", path, {"from": text(hour()), "carbon_g_per_kwh": [5, -1]})
    assert answer.status == 400 and "carbon_g_per_kwh[1]" in answer.text, answer.text
    assert platform.api("PUT", path, {"from": text(hour()), "price_percent": [50]}, key="sk-none").status == 401
    stranger = platform.cli("key", "create", "--name", "reads", "--scope", "tasks_read", "-q").out.strip()
    assert platform.api("PUT", path, {"from": text(hour()), "price_percent": [50]}, key=stranger).status == 403


def it_is_stated_and_shown(platform):
    spec = platform.api("GET", "/v1/sites").json["sites"][0]["spec"] | {"watts_per_core": 100, "carbon_g_per_kwh": 600}
    site = platform.folder / "site.json"
    site.write_text(json.dumps(spec))
    platform.cli("site", "update", "local", "-f", site)
    shown = state(platform, csv([500] * 3 + [50] + [500] * (HOURS - 4), [100] * 3 + [40] + [100] * (HOURS - 4))).json
    assert (shown["state"], shown["site"], shown["until"]) == ("fresh", "local", text(hour(HOURS))), shown
    assert platform.get_json("site", "outlook", "local")["outlook"]["source"] == "grid operator"
    table = platform.cli("site", "outlook", "local").out
    assert text(hour(3)) in table and "CARBON-G/KWH" in table, table
    assert "fresh" in platform.cli("site", "get", "local").err


def the_plan_starts_later(platform):
    plan = platform.api("POST", "/v1/tasks:plan", waits("green"), headers={"Content-Type": "application/yaml"}).json
    chosen = next(each for each in plan["candidates"] if each.get("chosen"))
    assert chosen["start_at"] == plan["later"]["start_at"] == text(hour(3)), plan
    assert chosen["price_percent"] == 40 and chosen["outlook"]["state"] == "fresh", chosen
    assert "90% less" in plan["later"]["text"], plan["later"]
    at_once = next(each for each in plan["candidates"] if "start_at" not in each)
    assert abs(at_once["terms"]["carbon_g"] / chosen["terms"]["carbon_g"] - 10) < 1e-6, plan


def it_waits_and_says_until_when(platform):
    platform.create(waits("green"))
    task = wait_until(lambda: (found := platform.task("night"))["reason"] == "waiting_for_start_time" and found, "the wait")
    assert f"from {text(hour(3))} on at local/" in task["message"], task
    explanation = platform.get_json("explain", "task/night")
    assert explanation["blocker"] == "start_time" and explanation["start"]["expected"] == text(hour(3)), explanation
    assert platform.attempts("night") == []
    platform.create("name: behind\nresources: {cpus: 0.5, memory: 0.25}\nrun: 'true'\n")
    platform.wait_for_state("behind", "SUCCEEDED")
    replayed = platform.get_json("sim", "replay-decision", explanation["decision_id"])
    assert replayed["identical"] is True and replayed["outcome"] == "wait", replayed


def a_restart_keeps_it_waiting(platform):
    platform.kill("server")
    platform.start_server()
    platform.wait_for_node()
    assert platform.get_json("site", "outlook", "local")["outlook"]["source"] == "grid operator"
    assert platform.task("night")["reason"] == "waiting_for_start_time"
    platform.create("name: later\nresources: {cpus: 0.5, memory: 0.25}\nrun: 'true'\n")
    platform.wait_for_state("later", "SUCCEEDED")
    assert platform.attempts("night") == []
    platform.cli("sim", "replay-decision", platform.get_json("explain", "task/later")["decision_id"])


def a_new_outlook_starts_it(platform):
    state(platform, csv([20, 20] + [500] * (HOURS - 2), [37, 37] + [100] * (HOURS - 2)))
    platform.wait_for_state("night", "SUCCEEDED")
    attempt = platform.attempts("night")[0]
    assert attempt["price_percent"] == 37, attempt
    lines = {line["name"]: float(line["usage"][0]["price"]) for line in platform.bills()}
    assert abs(lines["night"] - 0.37 * lines["behind"]) < 1e-12, lines
    replayed = platform.get_json("sim", "replay-decision", attempt["decision_id"])
    assert replayed["identical"] is True and replayed["outcome"] == "place", replayed


if __name__ == "__main__":
    with Platform(roles=True) as platform:
        bad_ones_are_refused(platform)
        it_is_stated_and_shown(platform)
        the_plan_starts_later(platform)
        it_waits_and_says_until_when(platform)
        a_restart_keeps_it_waiting(platform)
        a_new_outlook_starts_it(platform)
    print("work waits for its hour, and not for nothing")
