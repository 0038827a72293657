// SPDX-License-Identifier: Apache-2.0
#include <fmt/format.h>

#include <algorithm>
#include <cmath>

#include "scheduler/amount_text.h"
#include "scheduler/start_time.h"

// What waiting for a better hour gains, in words.
namespace penstock::scheduler {
namespace {

using fmt::format;

std::string place_of(const Candidate& candidate) { return candidate.site + "/" + candidate.node; }

// " (90% less)"; nothing where the share says nothing.
Text change_text(double before, double after) {
    if (before <= 0 || after > before) return {};
    const long percent = std::lround((before - after) / before * 100);
    return {format(" ({}% less)", percent), format("（减少 {}%）", percent)};
}

void add_term(Text& text, Term term, std::optional<double> before, std::optional<double> after) {
    if (before == after) return;
    const Text change = before && after ? change_text(*before, *after) : Text{};
    const bool first = text.en.empty();
    text.en += format(
        "{}{} {} instead of {}{}", first ? "" : ", ", name_of(term), value_text(term, after),
        value_text(term, before), change.en
    );
    text.zh += format(
        "{}{} {}，而非 {}{}", first ? "" : "；", name_zh_of(term), value_text_zh(term, after),
        value_text_zh(term, before), change.zh
    );
}

void write_text(LaterStart& later) {
    const std::string at = to_rfc3339(later.start_at);
    if (!later.terms_now) {
        later.text = format("from {} on at {}; nothing could take it at once", at, later.place);
        later.text_zh = format("{} 起在 {} 运行；目前没有可立即开始的候选", at, later.place);
        return;
    }
    const Values then = values_of(later.terms), now = values_of(*later.terms_now);
    Text gains;
    for (const Term term : {Term::cost, Term::green}) {
        const auto t = static_cast<std::size_t>(term);
        add_term(gains, term, now[t], then[t]);
    }
    later.text = format(
        "from {} on at {}: {}, compared with {} at once", at, later.place, gains.en,
        *later.place_now
    );
    later.text_zh = format(
        "{} 起在 {} 运行：{}（与在 {} 立即开始相比）", at, later.place, gains.zh, *later.place_now
    );
}

}  // namespace

std::optional<LaterStart> later_start(
    const std::vector<Candidate>& candidates, const Objective& objective
) {
    const Candidate& best = candidates[objective.order.front().candidate];
    if (!best.start_at) return std::nullopt;
    LaterStart later{.start_at = *best.start_at, .place = place_of(best), .terms = best.terms};
    const auto at_once = std::ranges::find_if(objective.order, [&](const Scored& scored) {
        return !candidates[scored.candidate].start_at;
    });
    if (at_once != objective.order.end()) {
        later.place_now = place_of(candidates[at_once->candidate]);
        later.terms_now = candidates[at_once->candidate].terms;
    }
    write_text(later);
    return later;
}

}  // namespace penstock::scheduler
