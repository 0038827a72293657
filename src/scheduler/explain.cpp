// SPDX-License-Identifier: Apache-2.0
#include "scheduler/explain.h"

#include <fmt/format.h>

#include <algorithm>
#include <map>
#include <tuple>

#include "scheduler/amount_text.h"
#include "scheduler/terms.h"

namespace penstock::scheduler {
namespace {

using fmt::format;

void append(Text& text, const std::string& en, const std::string& zh) {
    text.en += en;
    text.zh += zh;
}

Text name_of(const Candidate& candidate) {
    std::string name = candidate.site + "/" + candidate.node;
    if (candidate.request.accelerator)
        name += " (" + to_string(*candidate.request.accelerator) + ")";
    Text text{name, name};
    if (candidate.simulated) append(text, " (simulated)", "（模拟）");
    if (candidate.start_at) {
        const std::string at = to_rfc3339(*candidate.start_at);
        append(text, " from " + at + " on", format("（{} 起）", at));
    }
    return text;
}

// What a term is of, where how long it runs is unknown.
Text rate_of(const Terms& terms, Term term) {
    if (!terms.per_hour) return {};
    if (term == Term::cost || term == Term::green) return {" an hour", "/小时"};
    if (term == Term::duration) return {" beside the run", "（不含运行）"};
    return {};
}

Text terms_text(const Candidate& candidate) {
    Text all;
    const Values values = values_of(candidate.terms);
    for (std::size_t t = 0; t < kTermCount; ++t) {
        const auto term = static_cast<Term>(t);
        append(
            all,
            format(
                "{}{} {}{}", t == 0 ? "" : ", ", name_of(term), value_text(term, values[t]),
                values[t] ? rate_of(candidate.terms, term).en : ""
            ),
            format(
                "{}{} {}{}", t == 0 ? "" : "，", name_zh_of(term), value_text_zh(term, values[t]),
                values[t] ? rate_of(candidate.terms, term).zh : ""
            )
        );
    }
    return all;
}

// The least weight of one term, the others shrinking alike, at which `second` beats `first`.
struct Flip {
    Term term{};
    double weight = 0;
};
std::optional<Flip> flip_of(const Scored& first, const Scored& second, const Objective& objective) {
    std::optional<Flip> best;
    for (std::size_t t = 0; t < kTermCount; ++t) {
        const double gain = static_cast<double>(first.losses[t] - second.losses[t]);
        if (gain <= 0) continue;
        const double own = static_cast<double>(objective.weights[t]) / static_cast<double>(kOne);
        const double ahead =
            static_cast<double>(second.score - first.score) / static_cast<double>(kOne) +
            own * gain;
        if (own >= 1) continue;
        const double rest = ahead / (1 - own);
        const double weight = rest / (rest + gain);
        if (!best || weight < best->weight) best = Flip{static_cast<Term>(t), weight};
    }
    return best;
}

Text better_terms(const Scored& first, const Scored& second) {
    Text all;
    for (std::size_t t = 0; t < kTermCount; ++t)
        if (second.regrets[t] < first.regrets[t])
            append(
                all, (all.en.empty() ? "" : ", ") + std::string(name_of(static_cast<Term>(t))),
                (all.zh.empty() ? "" : "、") + std::string(name_zh_of(static_cast<Term>(t)))
            );
    return all;
}

// What a pure strategy would need of the runner-up.
Text pure_flip(const Scored& first, const Scored& second, const Objective& objective) {
    const Term own = *objective.pure;
    const auto t = static_cast<std::size_t>(own);
    const double best = objective.best[t].value_or(0);
    const double limit = best + std::max(best, kFloors[t]) * kPureRegretMax / kOne;
    if (second.outside) {
        return {
            format(
                "; it would be considered with a {} of {} or less", name_of(own),
                value_text(own, limit)
            ),
            format("；其{}不高于 {} 时才会被考虑", name_zh_of(own), value_text_zh(own, limit))
        };
    }
    const Text better = better_terms(first, second);
    const double allowance = limit - best;
    Text text{
        format(
            "; both are within {} of the best {}, so the other terms decided",
            value_text(own, allowance), name_of(own)
        ),
        format(
            "；二者的{}与最优相差均不超过 {}，由其余各项决定", name_zh_of(own),
            value_text_zh(own, allowance)
        )
    };
    if (!better.en.empty())
        append(
            text, format(" (it is better in {})", better.en), format("（它在{}上更优）", better.zh)
        );
    return text;
}

// `ordered`: their owner put nodes of one site into an order.
Text equal_text(bool ordered) {
    if (ordered)
        return {
            "; they are equal, so the site's placement policy decided",
            "；二者相同，由站点的放置策略决定"
        };
    return {"; they are equal, so the name decided", "；二者相同，按名称决定"};
}

Text flip_text(
    const Scored& first, const Scored& second, const Objective& objective, bool ordered
) {
    if (first.preference < second.preference)
        return {
            "; its accelerator stands later in resources.accelerators",
            "；其加速卡在 resources.accelerators 中排在后面"
        };
    if (objective.pure && objective.best[static_cast<std::size_t>(*objective.pure)])
        return pure_flip(first, second, objective);
    if (first.score == second.score) return equal_text(ordered);
    const std::optional<Flip> flip = flip_of(first, second, objective);
    if (!flip)
        return {
            "; it is better in no term, so no weights would turn it",
            "；它没有更优的一项，调整权重不会改变结果"
        };
    const double now =
        static_cast<double>(objective.weights[static_cast<std::size_t>(flip->term)]) /
        static_cast<double>(kOne);
    return {
        format(
            "; a weight of {} above {:.2f} (now {:.2f}) would choose it", name_of(flip->term),
            flip->weight, now
        ),
        format(
            "；{}权重高于 {:.2f}（现为 {:.2f}）时会选它", name_zh_of(flip->term), flip->weight, now
        )
    };
}

void note_unknown(Text& text, const Objective& objective) {
    if (!objective.pure || objective.best[static_cast<std::size_t>(*objective.pure)]) return;
    append(
        text,
        format(". Nobody's {} is known, so the other terms decided", name_of(*objective.pure)),
        format("。所有候选的{}均未知，由其余各项决定", name_zh_of(*objective.pure))
    );
}

void note_egress(Text& text, const Candidate& winner) {
    if (!winner.terms.egress) return;
    append(
        text,
        format(
            ". {} {} yuan are egress, not charged",
            winner.terms.per_hour ? "Beside its cost" : "Of its cost",
            to_string(*winner.terms.egress)
        ),
        format(
            "。{} {} 元为出口流量费，不计入账单",
            winner.terms.per_hour ? "费用之外另有" : "其费用中", to_string(*winner.terms.egress)
        )
    );
}

std::string hours_text(std::int64_t running_ms) {
    constexpr double kMsPerHour = 3'600'000;
    constexpr double kWholeFrom = 10;
    const double hours = static_cast<double>(running_ms) / kMsPerHour;
    return hours < kWholeFrom ? format("{:.1f}", hours) : format("{:.0f}", hours);
}

// What it is expected to run again; or, where others tell, that nothing is known of it.
void note_restarts(Text& text, const Candidate& winner, bool others_tell) {
    const std::optional<Money>& amount = winner.terms.restarts;
    if (!amount) {
        if (others_tell)
            append(
                text,
                ". How often such work starts again there is not known, so nothing of that is "
                "counted",
                "。该处同类任务的重启频率未知，未计入费用"
            );
        return;
    }
    if (amount->is_zero()) return;
    const std::string hours = hours_text(winner.restarts->running_ms);
    append(
        text,
        format(
            ". Of its cost {} yuan{} are for starting again, by {} restarts in {} h of such work "
            "there; not charged",
            to_string(*amount), winner.terms.per_hour ? " an hour" : "", winner.restarts->restarts,
            hours
        ),
        format(
            "。其费用中每{}约 {} 元为重启损失（该处同类任务运行 {} 小时重启 {} 次），不计入账单",
            winner.terms.per_hour ? "小时" : "次运行", to_string(*amount), hours,
            winner.restarts->restarts
        )
    );
}

void note_budget(Text& text, const Candidate& winner, const Input& input) {
    const std::optional<Money> charged = charged_of(winner.terms);
    if (winner.terms.per_hour || !input.budget_left || !charged || input.items <= 1) return;
    __int128 total = charged->micro();
    total *= input.items;
    if (total <= input.budget_left->micro()) return;
    const std::int64_t affordable =
        input.budget_left->micro() / std::max<std::int64_t>(charged->micro(), 1);
    append(
        text,
        format(
            ". The budget of {} yuan lasts for about {} of {} items", to_string(*input.budget_left),
            affordable, input.items
        ),
        format("。预算 {} 元约够 {}/{} 项", to_string(*input.budget_left), affordable, input.items)
    );
}

// ---- refusals

// Fewest failing filters first, then what waiting helps, then what is told last, then the least
// shortage.
auto nearness(const Judged& judged) {
    const FilterReason reason = judged.candidate.filter;
    const Question question{
        .supply = *judged.supply, .request = judged.candidate.request, .hourly = {}, .terms = {}
    };
    return std::tuple(
        judged.failing.count(), !is_temporary(reason),
        kFilterOrder.end() - std::ranges::find(kFilterOrder, reason),
        Filters::shortage(reason, question), judged.candidate.site, judged.candidate.node
    );
}

Question question_of(const Judged& judged, const Filters& filters) {
    const Result<Price> hourly = hourly_price(
        *judged.supply, judged.candidate.request, filters.spec(),
        judged.candidate.start_at.value_or(filters.now())
    );
    return {
        .supply = *judged.supply,
        .request = judged.candidate.request,
        .hourly = hourly ? std::optional(*hourly) : std::nullopt,
        .terms = judged.candidate.terms
    };
}

// One per node: of several accelerators the choice that came nearest.
std::vector<const Judged*> nearest_first(const std::vector<Judged>& judged) {
    std::map<std::pair<std::string, std::string>, const Judged*> by_node;
    for (const Judged& each : judged) {
        const Judged*& kept = by_node[{each.candidate.site, each.candidate.node}];
        if (!kept || nearness(each) < nearness(*kept)) kept = &each;
    }
    std::vector<const Judged*> all;
    for (const auto& [name, each] : by_node) all.push_back(each);
    std::ranges::sort(all, [](const Judged* a, const Judged* b) {
        return nearness(*a) < nearness(*b);
    });
    return all;
}

Text all_remedies(const Judged& judged, const Filters& filters) {
    Text text;
    for (const FilterReason reason : kFilterOrder) {
        if (!judged.failing.contains(reason)) continue;
        const Text remedy = filters.remedy(reason, question_of(judged, filters));
        append(
            text, (text.en.empty() ? "" : "; and ") + remedy.en,
            (text.zh.empty() ? "" : "；并且") + remedy.zh
        );
    }
    return text;
}

// Nodes that stand for others like them count as all of these.
template <class Accept>
std::int64_t count_of(const std::vector<const Judged*>& nodes, const Accept& accept) {
    std::int64_t count = 0;
    for (const Judged* each : nodes)
        if (accept(each)) count += 1 + each->supply->alike;
    return count;
}

}  // namespace

Text explain_choice(
    const std::vector<Judged>& judged, const Objective& objective, const Input& input
) {
    const Scored& first = objective.order[0];
    const Candidate& winner = judged[first.candidate].candidate;
    const Text name = name_of(winner);
    const Text terms = terms_text(winner);
    Text text{format("{} wins: {}", name.en, terms.en), format("选中 {}：{}", name.zh, terms.zh)};
    if (std::ranges::find(input.avoid, winner.node_id) != input.avoid.end())
        append(text, ". It failed here before; nothing else is left", "。此前在此失败，但别无选择");
    if (objective.order.size() == 1) {
        append(text, ". It is the only one that can take it", "。它是唯一可行的候选");
    } else {
        const Scored& second = objective.order[1];
        const Candidate& runner_up = judged[second.candidate].candidate;
        const Text next = name_of(runner_up);
        const bool ordered =
            winner.site_id == runner_up.site_id &&
            judged[first.candidate].supply->order != judged[second.candidate].supply->order;
        const Text flip = flip_text(first, second, objective, ordered);
        append(
            text,
            format(
                ". Next is {} (loss {:.3f} against {:.3f}){}", next.en, shown_score(second),
                shown_score(first), flip.en
            ),
            format(
                "。其次是 {}（综合损失 {:.3f}，选中者 {:.3f}）{}", next.zh, shown_score(second),
                shown_score(first), flip.zh
            )
        );
    }
    note_unknown(text, objective);
    note_egress(text, winner);
    note_restarts(text, winner, std::ranges::any_of(objective.order, [&](const Scored& scored) {
                      return judged[scored.candidate].candidate.terms.restarts.has_value();
                  }));
    note_budget(text, winner, input);
    return text;
}

Text explain_refusal(const std::vector<Judged>& judged, const Filters& filters) {
    if (judged.empty())
        return {
            "no site has joined yet: start an agent (penstock agent, or penstock up)",
            "尚无站点加入：请启动代理（penstock agent 或 penstock up）"
        };
    const std::vector<const Judged*> nodes = nearest_first(judged);
    const std::int64_t all = count_of(nodes, [](const Judged*) { return true; });
    const Judged& front = *nodes.front();
    const std::string front_name = front.candidate.site + "/" + front.candidate.node;
    const Text remedies = all_remedies(front, filters);
    if (all == 1) {
        const Text detail = filters.detail(front.candidate.filter, question_of(front, filters));
        return {
            format(
                "{}, the only node, cannot take it: {}. To change that: {}", front_name, detail.en,
                remedies.en
            ),
            format("唯一的节点 {} 不可用：{}。解决办法：{}", front_name, detail.zh, remedies.zh)
        };
    }
    const Text counted = count_refusals(judged, filters);
    Text text{
        format("none of {} nodes can take it: {}", all, counted.en),
        format("{} 个节点均不可用：{}", all, counted.zh)
    };
    append(
        text, format(". Nearest is {}: {}", front_name, remedies.en),
        format("。最接近的是 {}：{}", front_name, remedies.zh)
    );
    return text;
}

Text count_refusals(const std::vector<Judged>& judged, const Filters& filters) {
    const std::vector<const Judged*> nodes = nearest_first(judged);
    Text text;
    std::string_view mark, mark_zh;
    for (const FilterReason reason : kFilterOrder) {
        const auto here = [&](const Judged* each) { return each->candidate.filter == reason; };
        const std::int64_t count = count_of(nodes, here);
        if (count == 0) continue;
        const Judged& nearest = **std::ranges::find_if(nodes, here);
        const Text phrase = phrase_of(reason);
        const Text detail = filters.detail(reason, question_of(nearest, filters));
        const std::string where = nearest.candidate.site + "/" + nearest.candidate.node;
        append(
            text, format("{}{} {} ({}: {})", mark, count, phrase.en, where, detail.en),
            format("{}{} 个{}（{}：{}）", mark_zh, count, phrase.zh, where, detail.zh)
        );
        mark = "; ";
        mark_zh = "；";
    }
    return text;
}

}  // namespace penstock::scheduler
