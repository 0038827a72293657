// SPDX-License-Identifier: Apache-2.0
#include "server/composites.h"

#include <algorithm>
#include <array>
#include <cstdio>
#include <map>
#include <set>

#include "base/check.h"
#include "dispatch/staging_routes.h"
#include "scheduler/joint.h"
#include "scheduler/scheduler.h"
#include "server/profiles.h"
#include "server/task_submission.h"

namespace penstock::server {
namespace {

constexpr double kBytesPerGb = 1e9;

std::string task_name(const CompositeSpec& spec, const TaskSpec& part) {
    return spec.name + "-" + part.name;
}

std::vector<std::string> names_taken_from(const TaskSpec& part) {
    std::vector<std::string> names;
    if (part.inputs)
        for (const InputSpec& input : *part.inputs) names.push_back(input.task);
    if (part.schedule)
        for (const Dependency& dependency : part.schedule->dependencies)
            names.push_back(dependency.task);
    return names;
}

class Planner {
  public:
    Planner(const Platform& platform, const CompositeSpec& spec, OrganisationId organisation)
        : platform_(platform),
          spec_(spec),
          organisation_(organisation),
          store_site_(staging_source_of(platform)),
          routes_(store_site_) {
        for (const Node* node : platform.fleet.nodes())
            free_[node->id] = platform.fleet.free_of(*node);
    }

    CompositePlan plan() {
        find_order();
        made_.parts.resize(spec_.parts.size());
        for (std::size_t depth = 0; depth < spec_.parts.size(); ++depth) {
            place_together(depth);
            for (std::size_t i = 0; i < spec_.parts.size(); ++i)
                if (depth_.at(i) == depth) plan_part(i);
        }
        for (std::size_t i = 0; i < spec_.parts.size(); ++i) add_transfers(i);
        made_.feasible = std::ranges::all_of(made_.parts, [](const PartPlan& part) {
            return part.plan.feasible;
        });
        made_.ever = std::ranges::all_of(made_.parts, [](const PartPlan& part) {
            return part.plan.feasible || scheduler::may_become_feasible(part.plan);
        });
        add_up();
        explain();
        return std::move(made_);
    }

  private:
    // What each part waits for, and how many parts at most one after another. A part takes from
    // earlier ones only.
    void find_order() {
        for (std::size_t i = 0; i < spec_.parts.size(); ++i) {
            std::set<std::string>& before = before_[i];
            std::size_t& depth = depth_[i];
            const std::vector<std::string> taken = names_taken_from(spec_.parts[i]);
            for (std::size_t k = 0; k < i; ++k) {
                if (std::ranges::find(taken, spec_.parts[k].name) == taken.end()) continue;
                after_[i].push_back(spec_.parts[k].name);
                before.insert(spec_.parts[k].name);
                before.insert(before_[k].begin(), before_[k].end());
                depth = std::max(depth, depth_[k] + 1);
            }
        }
    }

    // Of parts that wait for equally many: where they go when they are decided together, so that
    // none is planned in a place that is the only one of another.
    void place_together(std::size_t depth) {
        std::vector<std::size_t> parts;
        std::vector<Plan> plans;
        for (std::size_t i = 0; i < spec_.parts.size(); ++i)
            if (depth_.at(i) == depth && parts.size() < scheduler::kJointItemsMax) {
                parts.push_back(i);
                plans.push_back(plan_of(i));
            }
        if (parts.size() < 2) return;
        std::vector<const Plan*> all;
        for (const Plan& plan : plans) all.push_back(&plan);
        const scheduler::JointChoice choice = scheduler::choose_jointly(all, free_);
        if (!choice.gains) return;
        for (std::size_t p = 0; p < parts.size(); ++p)
            if (choice.candidate_of[p]) left_[parts[p]] = scheduler::nodes_left(all, choice, p);
    }

    void plan_part(std::size_t i) {
        made_.parts[i] = {.part = spec_.parts[i].name, .after = after_[i], .plan = plan_of(i)};
        is_planned_.insert(i);
    }

    Plan plan_of(std::size_t i) {
        TaskSpec part = spec_.parts[i];
        set_default_placement(part);
        part.name = task_name(spec_, part);
        scheduler::Input input{
            .spec = part,
            .spec_sha256 = access::sha256_hex(json::print(part)),
            .items = items_of(part),
            .leave = left_[i],
            .profile = profile_of(platform_, part, organisation_),
            .budget_left = part.budget ? part.budget->max_total : std::nullopt,
            .now = platform_.now(),
            .at_once = true
        };
        input.profile.result_bytes = leaves(i).value_or(0);
        for (const std::string& from : after_[i])
            input.profile.staging_bytes += leaves(index_of(from)).value_or(0);
        if (store_site_) input.profile.staging_source = &*store_site_;
        for (const Node* node : platform_.fleet.nodes()) {
            const Site* site = platform_.fleet.find_site(node->site_id);
            input.supplies.push_back(
                {.site = site,
                 .node = node,
                 .free = free_beside(i, *node),
                 .outlook = platform_.engine.outlook_of(node->site_id),
                 .staging = routes_.to(*site),
                 .restarts = platform_.engine.restarts_of(node->site_id)}
            );
        }
        return scheduler::plan(input);
    }

    // What is free of a node beside the parts that may run at the same time.
    Capacity free_beside(std::size_t i, const Node& node) const {
        Capacity free = free_.at(node.id);
        for (const std::size_t k : is_planned_) {
            if (before_.at(i).contains(spec_.parts[k].name)) continue;
            if (before_.at(k).contains(spec_.parts[i].name)) continue;
            for (const Candidate& candidate : made_.parts[k].plan.candidates)
                if (candidate.chosen && candidate.node_id == node.id &&
                    fleet::fits(candidate.request, free))
                    fleet::take(free, candidate.request);
        }
        return free;
    }

    std::size_t index_of(const std::string& part) const {
        const auto found = std::ranges::find(spec_.parts, part, &TaskSpec::name);
        return static_cast<std::size_t>(found - spec_.parts.begin());
    }

    // The bytes that other parts take of it, as its newest run left them; nothing: it never ran.
    std::optional<std::int64_t> leaves(std::size_t i) const {
        const std::string name = task_name(spec_, spec_.parts[i]);
        const auto runs = platform_.board.list([&](const Task& task) {
            return task.organisation_id == organisation_ && task.name == name &&
                   task.state == TaskState::succeeded;
        });
        if (runs.empty()) return std::nullopt;
        std::int64_t bytes = 0;
        for (const OutputFile& output : runs.front()->outputs) bytes += output.bytes;
        return bytes;
    }

    void add_transfers(std::size_t to) {
        for (const std::string& from : made_.parts[to].after) {
            const Plan& sends = made_.parts[index_of(from)].plan;
            const Plan& takes = made_.parts[to].plan;
            PartTransfer transfer{
                .from = from, .to = spec_.parts[to].name, .bytes = leaves(index_of(from))
            };
            const Site* source = site_of(sends);
            const Site* target = site_of(takes);
            if (source != nullptr) {
                transfer.from_site = source->spec.name;
                transfer.egress_per_gb = source->spec.egress_per_gb;
            }
            if (target != nullptr) transfer.to_site = target->spec.name;
            if (transfer.bytes && transfer.egress_per_gb) transfer.egress = egress_of(transfer);
            if (transfer.bytes && source != nullptr && target != nullptr)
                transfer.seconds = seconds_of(*transfer.bytes, source->spec, target->spec);
            made_.transfers.push_back(std::move(transfer));
        }
    }

    const Site* site_of(const Plan& plan) const {
        const auto chosen = std::ranges::find_if(plan.candidates, &Candidate::chosen);
        return chosen == plan.candidates.end() ? nullptr
                                               : platform_.fleet.find_site(chosen->site_id);
    }

    static std::optional<Money> egress_of(const PartTransfer& transfer) {
        const Result<Price> per_byte = divide_price(*transfer.egress_per_gb, 1'000'000'000);
        if (!per_byte) return std::nullopt;
        const Result<ExactMoney> exact = multiply(*transfer.bytes, QuantityScale::one, *per_byte);
        const Result<Money> amount = exact ? ceil_money(*exact) : std::unexpected(exact.error());
        return amount ? std::optional(*amount) : std::nullopt;
    }

    // Up to the store and down again.
    static std::optional<double> seconds_of(
        std::int64_t bytes, const SiteSpec& source, const SiteSpec& target
    ) {
        if (!source.bandwidth_mbps || !target.bandwidth_mbps) return std::nullopt;
        const double megabits = static_cast<double>(bytes) * 8 / 1e6;
        return megabits / *source.bandwidth_mbps + megabits / *target.bandwidth_mbps;
    }

    void add_up() {
        Money total;
        for (const PartPlan& part : made_.parts) {
            if (!part.plan.estimated_cost) return;
            total = add(total, *part.plan.estimated_cost).value_or(total);
        }
        made_.estimated_cost = total;
    }

    void explain() {
        for (std::size_t i = 0; i < made_.parts.size(); ++i) {
            const PartPlan& part = made_.parts[i];
            const std::string after = part.after.empty() ? "" : joined(part.after);
            made_.explanation += (i == 0 ? "" : "\n") + part.part +
                                 (after.empty() ? "" : " (after " + after + ")") + ": " +
                                 part.plan.explanation;
            made_.explanation_zh += (i == 0 ? "" : "\n") + part.part +
                                    (after.empty() ? "" : "（在 " + after + " 之后）") + "：" +
                                    part.plan.explanation_zh;
        }
        for (const PartTransfer& transfer : made_.transfers) {
            if (transfer.from_site.empty() || transfer.to_site.empty()) continue;
            const std::string way = transfer.from + " → " + transfer.to + ": " +
                                    transfer.from_site + " → " + transfer.to_site;
            made_.explanation +=
                "\n" + way + ", " +
                amount_text(transfer, "unknown size", " GB", "egress ", " yuan", "no egress price");
            made_.explanation_zh +=
                "\n" + way + "，" +
                amount_text(transfer, "大小未知", " GB", "出口流量费 ", " 元", "未标价");
        }
    }

    static std::string joined(const std::vector<std::string>& names) {
        std::string text;
        for (const std::string& name : names) text += (text.empty() ? "" : ", ") + name;
        return text;
    }

    static std::string amount_text(
        const PartTransfer& transfer, const std::string& no_size, const std::string& unit,
        const std::string& egress, const std::string& money, const std::string& no_price
    ) {
        std::string text = no_size;
        if (transfer.bytes) {
            std::array<char, 32> number{};
            std::snprintf(
                number.data(), number.size(), "%.6g",
                static_cast<double>(*transfer.bytes) / kBytesPerGb
            );
            text = number.data() + unit;
        }
        if (transfer.egress) return text + ", " + egress + to_string(*transfer.egress) + money;
        if (!transfer.egress_per_gb) return text + ", " + no_price;
        return text + ", " + egress + to_string(*transfer.egress_per_gb) + money + "/GB";
    }

    const Platform& platform_;
    const CompositeSpec& spec_;
    OrganisationId organisation_;
    std::optional<SiteSpec> store_site_;  // where what one part leaves waits for the next
    dispatch::StagingRoutes routes_;
    std::map<NodeId, Capacity> free_;
    // Of each part: those it takes from, those that have ended when it starts, how many at most one
    // after another, and nodes it leaves to others.
    std::map<std::size_t, std::vector<std::string>> after_;
    std::map<std::size_t, std::set<std::string>> before_;
    std::map<std::size_t, std::size_t> depth_;
    std::map<std::size_t, std::vector<NodeId>> left_;
    std::set<std::size_t> is_planned_;
    CompositePlan made_;
};

}  // namespace

// The presets of composites, as weights: no special code decides.
void set_default_placement(TaskSpec& part) {
    if (part.placement) return;
    part.placement.emplace();
    part.placement->optimize = part.kind == TaskKind::Service ? Strategy{.latency = 1}
                                                              : Strategy{.cost = 0.5, .green = 0.5};
}

CompositePlan plan_composite(
    const Platform& platform, const CompositeSpec& spec, OrganisationId organisation
) {
    return Planner(platform, spec, organisation).plan();
}

}  // namespace penstock::server
