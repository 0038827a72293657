// SPDX-License-Identifier: Apache-2.0
#include "scheduler/spec_change.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <tuple>

#include "model/alternatives.h"
#include "scheduler/amount_text.h"
#include "scheduler/place_change.h"
#include "scheduler/terms.h"

namespace penstock::scheduler {
namespace {

using fmt::format;
using Reason = FilterReason;

constexpr std::int64_t kWhole = 1000;
constexpr std::int64_t kMibPerGib = 1024;
constexpr double kSpotSize = 0.5;

double part_given_up(std::int64_t from, std::int64_t to) {
    return 1 - static_cast<double>(to) / static_cast<double>(from);
}
// Of what is paid or waited for: 100 instead of 80 is a fifth of it.
double part_added(double from, double to) { return to > 0 ? 1 - std::max(from, 0.0) / to : 1; }

// ---- amounts

void add_cpus(std::vector<SpecChange>& all, const TaskSpec& spec, std::int64_t milli) {
    const std::int64_t asked = request_of(spec).cpu_milli;
    milli -= milli >= kWhole ? milli % kWhole : 0;
    if (milli <= 0 || milli >= asked) return;
    SpecChange change = changed(
        "resources.cpus", thousandths(asked), thousandths(milli), part_given_up(asked, milli)
    );
    change.apply = [milli](TaskSpec& with) { with.resources.cpus = CpuRange{{milli, milli}}; };
    change.lifts = {Reason::insufficient_cpu, Reason::cpu_too_large};
    all.push_back(std::move(change));
}

void add_memory(std::vector<SpecChange>& all, const TaskSpec& spec, std::int64_t mib) {
    const std::int64_t asked = request_of(spec).memory_mib;
    mib -= mib >= kMibPerGib ? mib % kMibPerGib : 0;
    if (mib <= 0 || mib >= asked) return;
    SpecChange change = changed(
        "resources.memory", memory_text(asked), memory_text(mib), part_given_up(asked, mib)
    );
    change.apply = [mib](TaskSpec& with) { with.resources.memory = MemoryRange{{mib, mib}}; };
    change.lifts = {Reason::insufficient_memory, Reason::memory_too_large};
    all.push_back(std::move(change));
}

// In alternatives of place too: each says which accelerators it means.
void take_instead(TaskSpec& with, const Accelerator& instead) {
    with.resources.accelerators = Accelerators{.choices = {instead}};
    for (auto* alternatives : {&with.resources.any_of, &with.resources.ordered})
        for (InfraChoice& choice : *alternatives)
            if (choice.accelerators) choice.accelerators = Accelerators{.choices = {instead}};
}

std::string names_of(const Accelerators& accelerators) {
    std::string names;
    for (const Accelerator& each : accelerators.choices)
        names += (names.empty() ? "" : ", ") + to_string(each);
    return names;
}

SpecChange other_accelerator(const TaskSpec& spec, const Accelerator& instead, double size) {
    SpecChange change = changed(
        "resources.accelerators", names_of(*spec.resources.accelerators), to_string(instead), size
    );
    change.apply = [instead](TaskSpec& with) { take_instead(with, instead); };
    change.lifts = {Reason::insufficient_accelerator, Reason::accelerator_absent};
    return change;
}

// Fewer devices of a model that it may use, then as many of another.
void add_accelerators(
    std::vector<SpecChange>& all, const TaskSpec& spec, const ChangeGround& ground
) {
    if (!spec.resources.accelerators) return;
    const std::vector<Accelerator>& choices = spec.resources.accelerators->choices;
    std::vector<SpecChange> fewer;
    for (const Accelerator& choice : choices) {
        const auto free = ground.devices_milli.find(choice.model);
        if (free == ground.devices_milli.end()) continue;
        const std::int64_t milli = free->second - free->second % kWhole;
        if (milli <= 0 || milli >= choice.count_milli) continue;
        fewer.push_back(other_accelerator(
            spec, {.model = choice.model, .count_milli = milli},
            part_given_up(choice.count_milli, milli)
        ));
    }
    std::ranges::sort(fewer, [](const SpecChange& a, const SpecChange& b) {
        return std::tie(a.size, a.to) < std::tie(b.size, b.to);
    });
    std::ranges::move(fewer, std::back_inserter(all));
    std::size_t tried = 0;
    for (const std::string& model : ground.models) {
        if (std::ranges::count(choices, model, &Accelerator::model) > 0) continue;
        if (tried++ == kModelsTriedMax) return;
        all.push_back(other_accelerator(
            spec, {.model = model, .count_milli = choices.front().count_milli}, kModelSize
        ));
        all.back().other_answer = true;
    }
}

void add_nodes(std::vector<SpecChange>& all, const TaskSpec& spec, std::int64_t members) {
    for (std::int64_t n = std::min(members, spec.num_nodes - 1); n > 0; n /= 2) {
        SpecChange change = changed(
            "num_nodes", std::to_string(spec.num_nodes), std::to_string(n),
            part_given_up(spec.num_nodes, n)
        );
        change.apply = [n](TaskSpec& with) { with.num_nodes = n; };
        change.lifts = {
            Reason::insufficient_cpu, Reason::insufficient_memory, Reason::insufficient_accelerator,
            Reason::kept_for_others
        };
        all.push_back(std::move(change));
    }
}

// ---- time and money

void add_time_limit(std::vector<SpecChange>& all, const TaskSpec& spec, bool promised) {
    constexpr int kHalvings = 5;
    if (spec.service) return;
    std::vector<Duration> limits;
    if (spec.time_limit)
        for (int i = 1; i <= kHalvings; ++i)
            limits.push_back(std::chrono::floor<std::chrono::seconds>(*spec.time_limit / (1 << i)));
    else if (promised)
        limits = {4h, 1h, 10min};
    for (const Duration limit : limits) {
        if (limit < 1s) return;
        SpecChange change = changed(
            "time_limit", spec.time_limit ? to_string(*spec.time_limit) : "none", to_string(limit),
            spec.time_limit ? 1 - to_seconds(limit) / to_seconds(*spec.time_limit) : 1
        );
        change.apply = [limit](TaskSpec& with) { with.time_limit = limit; };
        change.lifts = {Reason::kept_for_others, Reason::deadline_too_near, Reason::over_budget};
        all.push_back(std::move(change));
    }
}

void add_deadline(std::vector<SpecChange>& all, const TaskSpec& spec) {
    if (!spec.deadline) return;
    SpecChange change = changed("deadline", to_rfc3339(*spec.deadline), "none", 1);
    change.apply = [](TaskSpec& with) { with.deadline.reset(); };
    change.lifts = {Reason::deadline_too_near};
    change.least = [from = *spec.deadline](const FoundPlace& found) -> std::optional<SpecChange> {
        const Terms& terms = found.candidate.terms;
        if (!terms.duration_s || terms.per_hour) return std::nullopt;
        // A minute more, so that it still holds when it is submitted.
        const Time to =
            std::chrono::ceil<std::chrono::minutes>(
                found.now +
                std::chrono::ceil<Duration>(std::chrono::duration<double>(*terms.duration_s))
            ) +
            1min;
        SpecChange least = changed(
            "deadline", to_rfc3339(from), to_rfc3339(to),
            part_added(to_seconds(from - found.now), to_seconds(to - found.now))
        );
        least.apply = [to](TaskSpec& with) { with.deadline = to; };
        return least;
    };
    all.push_back(std::move(change));
}

void add_budget(std::vector<SpecChange>& all, const TaskSpec& spec) {
    if (!spec.budget || !spec.budget->max_total) return;
    const Money from = *spec.budget->max_total;
    SpecChange change = changed("budget.max_total", to_string(from), "none", 1);
    change.apply = [](TaskSpec& with) { with.budget->max_total.reset(); };
    change.lifts = {Reason::over_budget};
    change.least = [from,
                    nodes = spec.num_nodes](const FoundPlace& found) -> std::optional<SpecChange> {
        const std::optional<Money> charged = charged_of(found.candidate.terms);
        if (!charged || found.candidate.terms.per_hour || charged->micro() > INT64_MAX / nodes)
            return std::nullopt;
        const Money to = Money::micro(charged->micro() * nodes);
        SpecChange least = changed(
            "budget.max_total", to_string(from), to_string(to),
            part_added(static_cast<double>(from.micro()), static_cast<double>(to.micro()))
        );
        least.apply = [to](TaskSpec& with) { with.budget->max_total = to; };
        return least;
    };
    all.push_back(std::move(change));
}

void add_price(std::vector<SpecChange>& all, const TaskSpec& spec) {
    if (!spec.resources.max_hourly_cost) return;
    const std::string from = spec.resources.max_hourly_cost->text;
    const double was = parse_money(from) ? static_cast<double>(parse_money(from)->micro()) : 0;
    SpecChange change = changed("resources.max_hourly_cost", from, "none", 1);
    change.apply = [](TaskSpec& with) { with.resources.max_hourly_cost.reset(); };
    change.lifts = {Reason::price_above_maximum};
    change.least = [from, was](const FoundPlace& found) -> std::optional<SpecChange> {
        const Result<ExactMoney> exact =
            multiply(1, QuantityScale::one, found.candidate.price_per_hour);
        const Result<Money> to = exact ? ceil_money(*exact) : std::unexpected(exact.error());
        if (!to) return std::nullopt;
        SpecChange least = changed(
            "resources.max_hourly_cost", from, to_string(*to),
            part_added(was, static_cast<double>(to->micro()))
        );
        least.apply = [to = *to](TaskSpec& with) {
            with.resources.max_hourly_cost = EnvText{to_string(to)};
        };
        return least;
    };
    all.push_back(std::move(change));
}

void add_spot(std::vector<SpecChange>& all, const TaskSpec& spec) {
    const bool spot = is_spot(spec);
    SpecChange change =
        changed("resources.use_spot", spot ? "true" : "false", spot ? "false" : "true", kSpotSize);
    change.apply = [spot](TaskSpec& with) { with.resources.use_spot = !spot; };
    if (spot)
        change.lifts = {Reason::spot_not_sold};
    else
        change.lifts = {Reason::price_above_maximum, Reason::over_budget};
    all.push_back(std::move(change));
}

}  // namespace

SpecChange changed(std::string field, std::string from, std::string to, double size) {
    constexpr std::string_view kResources = "resources.";
    const std::string_view shown = field.starts_with(kResources)
                                       ? std::string_view(field).substr(kResources.size())
                                       : std::string_view(field);
    Text words = to == "none" ? Text{format("without {}", shown), format("去掉 {}", shown)}
                 : from == "none"
                     ? Text{format("with {}: {}", shown, to), format("{} 设为 {}", shown, to)}
                     : Text{
                           format("with {}: {} instead of {}", shown, to, from),
                           format("{} 由 {} 改为 {}", shown, from, to)
                       };
    return {
        .field = std::move(field),
        .from = std::move(from),
        .to = std::move(to),
        .size = std::clamp(size, 0.0, 1.0),
        .words = std::move(words),
        .apply = {},
        .least = {},
        .lifts = {},
        .other_answer = false
    };
}

SpecChange priority_change(std::int64_t from, std::int64_t to) {
    constexpr double kAll = 2.0 * kPriorityMax;
    SpecChange change = changed(
        "priority", std::to_string(from), std::to_string(to), static_cast<double>(to - from) / kAll
    );
    change.apply = [to](TaskSpec& with) { with.priority = to; };
    return change;
}

SpecChange not_as_spot() {
    SpecChange change = changed("resources.use_spot", "true", "false", kSpotSize);
    change.apply = [](TaskSpec& with) { with.resources.use_spot = false; };
    return change;
}

SpecChange quota_change(const QuotaBlock& block, std::int64_t to) {
    const bool whole = block.level == "organisation";
    const auto raised = static_cast<double>(to);
    SpecChange change = changed(
        format("{}.quota.limit.{}", block.level, block.resource), format("{:g}", block.limit),
        std::to_string(to), part_added(block.limit, raised)
    );
    change.words = {
        format(
            "with a limit of {} {} instead of {:g} for {} {} (set by {})", to, block.resource,
            block.limit, block.level, block.name, block.set_by
        ),
        format(
            "{} {} 的 {} 配额上限由 {:g} 提高到 {}（由 {} 设定）", whole ? "机构" : "项目",
            block.name, block.resource, block.limit, to, block.set_by
        )
    };
    return change;
}

std::vector<SpecChange> changes_of(const TaskSpec& spec, const ChangeGround& ground) {
    std::vector<SpecChange> all;
    add_cpus(all, spec, ground.cpu_milli);
    add_memory(all, spec, ground.memory_mib);
    add_accelerators(all, spec, ground);
    if (spec.num_nodes > 1) add_nodes(all, spec, ground.members);
    add_place_changes(all, spec);
    add_time_limit(all, spec, ground.promised);
    add_deadline(all, spec);
    add_budget(all, spec);
    add_price(all, spec);
    add_spot(all, spec);
    return all;
}

Text starting_text(const std::vector<Text>& changes, const std::string& place, bool notice) {
    Text text;
    for (const Text& each : changes) {
        text.en += (text.en.empty() ? "" : " and ") + each.en;
        text.zh += (text.zh.empty() ? "" : "，并且") + each.zh;
    }
    if (notice) {
        text.en += format(" lesser work on {} would be told to leave for it", place);
        text.zh += format("，将通知 {} 上级别较低的任务为其让位", place);
    } else {
        text.en += format(" it would start now on {}", place);
        text.zh += format("，即可在 {} 立即开始", place);
    }
    return text;
}

}  // namespace penstock::scheduler
