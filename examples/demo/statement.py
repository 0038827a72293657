# SPDX-License-Identifier: Apache-2.0
"""The demo's tables. Every number is read back from the platform; sums are made here, exactly, to compare."""
from collections import defaultdict
from decimal import Decimal

from local_platform import PROVIDERS, Failed

TERMS = (("COST", "cost", 4), ("DURATION-S", "duration_s", 2), ("SECURITY", "security", 2), ("LATENCY-MS", "latency_ms", 1),
         ("CARBON-G", "carbon_g", 3))


def decimal(number, places=6):
    """Without trailing zeros: 0.000359, 28, 100.5; of a number too small for its places the first two digits."""
    number = Decimal(number)
    if number and abs(number) <= Decimal(10) ** -places / 2:
        places = 1 - number.adjusted()
    text = f"{number:.{places}f}"
    return text.rstrip("0").rstrip(".") if "." in text else text


def total(lines, member):
    return sum((Decimal(line[member]) for line in lines), Decimal(0))


def print_sites(platform, screen):
    nodes = {node["site"]: node for node in platform.nodes()}
    rows = []
    for site in platform.json("site", "list", "--all")["sites"]:
        spec, node = site["spec"], nodes[site["spec"]["name"]]
        rows.append((spec["name"], site["provider"], decimal(Decimal(spec["prices"]["core_second"]) * 3600, 4),
                     decimal(spec["carbon_g_per_kwh"]), decimal(spec["green_percent"]), decimal(spec["rtt_ms"]), spec["trust"],
                     decimal(Decimal(node["total"]["cpu_milli"]) / 1000), site["c_url"]))
    screen.heading("Sites")
    screen.table(("SITE", "PROVIDER", "CORE-HOUR", "gCO2/kWh", "GREEN%", "RTT-MS", "TRUST", "CPUS", "C-URL"), sorted(rows),
                 right=("CORE-HOUR", "gCO2/kWh", "GREEN%", "RTT-MS", "CPUS"))
    screen.line()


def print_answer(screen, answer):
    line = answer["line"]
    screen.heading("The call, streamed through the gateway by the official OpenAI client")
    screen.line(f"  > {answer['question']}")
    screen.line(f"  {' '.join(answer['text'].split())}")
    prices = " + ".join(f"{item['quantity']} {item['meter'].replace('_', ' ')} at {per_million(item)} yuan a million" for item in line["usage"])
    screen.line(f"  {prices}: {line['charged']} yuan; {line['provider']} at {line['site']} is the only provider of the model")
    counted = {item["meter"]: item["quantity"] for item in line["usage"]}
    if (counted.get("input_tokens"), counted.get("output_tokens")) != (answer["prompt_tokens"], answer["completion_tokens"]):
        raise Failed(f"the client counted {answer['prompt_tokens']} + {answer['completion_tokens']} tokens, the bill says {counted}")


def per_million(item):
    return decimal(Decimal(item["exact_amount"]) * 1_000_000 / item["quantity"])


def print_outputs(screen, trained, sheet):
    screen.heading("Results")
    rows = [("train", path, f"{size:,}", f"sha256 {digest}") for path, size, digest in trained]
    screen.table(("TASK", "FILE", "BYTES", "HASH"), rows, right=("BYTES",))
    screen.line(f"  picture sheet: {sheet}")


# --- where, and why there ---------------------------------------------------------------------------


def print_decisions(platform, screen):
    screen.heading("Where, and why there (five terms per candidate; the lowest weighted regret wins)")
    rows = []
    for task in reversed(platform.json("task", "list", "--all")["tasks"]):
        attempts = sorted(platform.json("task", "attempts", task["id"], "--all")["attempts"], key=lambda attempt: attempt["created_at"])
        for attempts_alike in alike(attempts):
            rows += decision_rows(task, attempts_alike)
    screen.table(("WORK", "SITE", *(name for name, _, _ in TERMS), "SCORE", ""), rows, right=(*(name for name, _, _ in TERMS), "SCORE"))


def alike(attempts):
    """Attempts that had the same choice are shown once."""
    groups = defaultdict(list)
    for attempt in attempts:
        fence = attempt["fence"] if attempt["fence"] > 1 else 1
        groups[fence, *((candidate["site"], candidate["chosen"], candidate["filter"]) for candidate in attempt["decision"])].append(attempt)
    return groups.values()


def decision_rows(task, attempts):
    work = task["name"]
    if task["items"]["total"] > 1:
        work += " " + ",".join(str(attempt["item"]) for attempt in attempts)
    elif attempts[0]["fence"] > 1:
        work += f", attempt {attempts[0]['fence']}"
    for candidate in attempts[0]["decision"]:
        terms = [decimal(candidate["terms"][key], places) if key in candidate["terms"] else "unknown" for _, key, places in TERMS]
        score = decimal(candidate["score"], 3) if "score" in candidate else "-"
        verdict = "← chosen" if candidate["chosen"] else candidate["filter_detail"] or candidate["filter"]
        yield work, candidate["site"], *terms, score, "" if verdict == "none" else verdict
        work = ""


# --- what it used, cost and earned -------------------------------------------------------------------


def usage_text(lines):
    counts = defaultdict(int)
    for line in lines:
        for item in line["usage"]:
            counts[item["meter"]] += item["quantity"]
    units = {"core_ms": ("core-s", 1000), "gib_ms": ("GiB-s", 1000), "input_tokens": ("tokens in", 1), "output_tokens": ("tokens out", 1)}
    return ", ".join(f"{decimal(Decimal(count) / units[meter][1], 3)} {units[meter][0]}" for meter, count in counts.items())


def print_usage(platform, screen):
    groups = defaultdict(list)
    for line in reversed(platform.json("bill", "list", "--all")["lines"]):
        groups[line["kind"], line["name"], line["site"], line["end_reason"]].append(line)
    rows = [(("call " if kind == "tokens" else "") + name + (f" ×{len(lines)}" if len(lines) > 1 else ""), site, lines[0]["provider"],
             usage_text(lines), decimal(total(lines, "charged")), decimal(total(lines, "provider_share")), decimal(total(lines, "fee")),
             reason) for (kind, name, site, reason), lines in groups.items()]
    screen.heading("What it used, what it cost (yuan)")
    screen.table(("WORK", "SITE", "PROVIDER", "USED", "CHARGED", "PROVIDER'S", "FEE", "END"), rows, right=("CHARGED", "PROVIDER'S", "FEE"))
    running = [task for task in platform.json("task", "list", "--all")["tasks"] if task["state"] == "RUNNING"]
    for task in running:
        screen.line(f"  {task['name']} runs on; {task['held']} yuan are held for it, and it is charged when it ends")


def print_earnings(platform, screen):
    report = platform.json("bill", "settlement", key="operator")
    screen.heading("What every party paid and earned (yuan)")
    screen.table(("PARTY", "ROLE", "PAID", "EARNED", "FEE"),
                 [(party["party"], party["role"], party["paid"], party["earned"], party["fee"]) for party in report["parties"]],
                 right=("PAID", "EARNED", "FEE"))
    lines = platform.json("bill", "list", "--all")["lines"]
    wallet = platform.json("wallet", "get")
    charged, shared = total(lines, "charged"), total(lines, "provider_share") + total(lines, "fee")
    debits, credits_ = Decimal(report["total_debits"]), Decimal(report["total_credits"])
    screen.line(f"  bill lines {decimal(charged)} = wallet spent {decimal(wallet['spent'])} = providers + fee {decimal(shared)}")
    proof = f"  debits {debits} = credits {credits_} over {report['transfers']} transfers: the ledger balances"
    if not report["balanced"] or debits != credits_ or not charged == Decimal(wallet["spent"]) == shared:
        raise Failed(f"the books do not agree: {report}, {wallet}, charged {charged}, shared {shared}")
    if len([party for party in report["parties"] if party["role"] == "provider" and Decimal(party["earned"]) > 0]) < len(PROVIDERS):
        screen.line("  (a provider without work earned nothing)")
    screen.line(screen.paint("1;32", proof))
