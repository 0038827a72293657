// SPDX-License-Identifier: Apache-2.0
#include "dispatch/engine.h"

#include <algorithm>

#include "base/check.h"
#include "dispatch/pool_policy.h"
#include "dispatch/staging_routes.h"
#include "dispatch/workload_drift.h"
#include "scheduler/filter.h"

namespace penstock::dispatch {
namespace {

void add_to(Capacity& sum, const Capacity& part, std::int64_t sign) {
    sum.cpu_milli += sign * part.cpu_milli;
    sum.memory_mib += sign * part.memory_mib;
    for (const auto& [model, milli] : part.accelerator_milli)
        sum.accelerator_milli[model] += sign * milli;
}

}  // namespace

scheduler::Profile profile_of(const KnownRuns& runs) {
    return {
        .run_time = runs.run_time,
        .run_time_basis = runs.run_time_basis,
        .staging_bytes = runs.staging_bytes,
        .staging_source = runs.staging_source ? &*runs.staging_source : nullptr,
        .result_bytes = runs.result_bytes,
        .run_time_on = runs.run_time_on,
        .run_time_basis_on = runs.run_time_basis_on,
        .watts_per_device = runs.watts_per_device,
        .run_time_at_most = runs.run_time_at_most,
        .run_time_at_most_on = runs.run_time_at_most_on
    };
}

KnownRuns runs_of(const scheduler::Profile& profile) {
    KnownRuns runs{
        .run_time = profile.run_time,
        .run_time_basis = profile.run_time_basis,
        .run_time_on = profile.run_time_on,
        .run_time_basis_on = profile.run_time_basis_on,
        .staging_bytes = profile.staging_bytes,
        .result_bytes = profile.result_bytes,
        .watts_per_device = profile.watts_per_device,
        .run_time_at_most = profile.run_time_at_most,
        .run_time_at_most_on = profile.run_time_at_most_on
    };
    if (profile.staging_source) runs.staging_source = *profile.staging_source;
    return runs;
}

Engine::Engine(const DecisionState& state) {
    for (const Site& site : state.sites) site_put(site);
    if (state.outlooks)
        for (const SiteOutlook& outlook : *state.outlooks) outlook_put(outlook);
    if (state.restarts)
        for (const RestartHistory& history : *state.restarts) restarts_put(history);
    for (const Node& node : state.nodes) node_put(node);
    for (const HeldCapacity& each : state.holds)
        held(each.attempt_id, {each.node_id, each.request, each.devices});
    recent_.assign(state.recent.begin(), state.recent.end());
    workload_ = state.workload;
    since_taken_ = static_cast<std::size_t>(state.since_refresh);
    position_ = static_cast<std::uint64_t>(state.position);
}

DecisionState Engine::state() const {
    DecisionState state{
        .position = static_cast<std::int64_t>(position_),
        .recent = {recent_.begin(), recent_.end()},
        .workload = workload_,
        .since_refresh = static_cast<std::int64_t>(since_taken_)
    };
    for (const auto& [id, site] : sites_) {
        state.sites.push_back(site.site);
        if (site.outlook) {
            if (!state.outlooks) state.outlooks.emplace();
            state.outlooks->push_back(*site.outlook->stated);
        }
        for (const auto& [name, host] : site.hosts) state.nodes.push_back(host.node());
    }
    if (!restarts_.empty()) state.restarts.emplace();
    for (const auto& [site, restarts] : restarts_)
        for (const auto& [kind, history] : restarts) state.restarts->push_back(history);
    for (const auto& [attempt, host] : held_by_) {
        const fleet::CapacityHold& hold = host->hold_of(attempt);
        state.holds.push_back({attempt, hold.node_id, hold.request, hold.devices});
    }
    return state;
}

// ---- what changes

void Engine::site_put(const Site& site) {
    ++position_;
    ++site_changes_;
    SiteState& state = sites_[site.id];
    const bool same_rules =
        state.site.spec.advisory_limits == site.spec.advisory_limits &&
        state.site.spec.placement == site.spec.placement &&
        state.site.spec.watts_per_core == site.spec.watts_per_core &&
        state.site.spec.watts_per_device == site.spec.watts_per_device &&
        state.site.spec.idle_watts_per_device == site.spec.idle_watts_per_device;
    state.site = site;
    if (same_rules) return;
    for (auto& [sku, pool] : state.pools) pool.drop();
}

void Engine::outlook_put(const SiteOutlook& outlook) {
    ++position_;
    ++site_changes_;
    SiteState& site = sites_[outlook.site_id];
    site.outlook = scheduler::outlook_of(outlook);
    site.alike = {};
}

void Engine::restarts_put(const RestartHistory& history) {
    ++position_;
    restarts_[history.site_id][{history.sku, history.work}] = history;
}

const scheduler::SiteRestarts* Engine::restarts_of(SiteId site) const {
    const auto found = restarts_.find(site);
    return found == restarts_.end() ? nullptr : &found->second;
}

const scheduler::Outlook* Engine::outlook_of(SiteId site) const {
    const auto found = sites_.find(site);
    return found == sites_.end() || !found->second.outlook ? nullptr : &*found->second.outlook;
}

void Engine::node_put(const Node& node) {
    ++position_;
    SiteState& site = sites_[node.site_id];
    site.alike = {};
    const auto [at, is_new] = site.hosts.try_emplace({node.name, node.id}, node, kinds_);
    Host& host = at->second;
    host_of_[node.id] = {&site, &host};
    const bool resized = is_new || host.resized_by(node);
    const auto drop_pools = [&] {
        site.pools.try_emplace(std::string(kCpuSku), std::string(kCpuSku)).first->second.drop();
        for (const auto& [model, positions] : host.models())
            site.pools.try_emplace(model, model).first->second.drop();
    };
    if (resized) {
        drop_pools();
        if (!is_new) add_to(total_, host.node().total, -1);
        add_to(total_, node.total, 1);
    }
    if (!is_new) host.renew(node, kinds_);
    if (resized)
        drop_pools();
    else
        refresh(site, host, Pool::Cause::renewed, {});
}

void Engine::held(AttemptId attempt, const fleet::CapacityHold& hold) {
    ++position_;
    const auto [site, host] = host_of_.at(hold.node_id);
    const fleet::CapacityHold& kept = host->hold(attempt, hold);
    held_by_[attempt] = host;
    refresh(*site, *host, Pool::Cause::placed, kept);
    remember(hold.request);
}

void Engine::released(AttemptId attempt) {
    ++position_;
    const auto found = held_by_.find(attempt);
    if (found == held_by_.end()) return;
    Host* host = found->second;
    held_by_.erase(found);
    const fleet::CapacityHold hold = host->release(attempt);
    refresh(*host_of_.at(host->node().id).first, *host, Pool::Cause::released, hold);
}

void Engine::refresh(
    SiteState& site, const Host& host, Pool::Cause cause, const fleet::CapacityHold& task
) {
    site.pools.at(std::string(kCpuSku)).changed(host, cause, task);
    for (const auto& [model, positions] : host.models())
        site.pools.at(model).changed(host, cause, task);
}

void Engine::remember(const ResourceRequest& request) {
    recent_.push_back(request);
    if (recent_.size() > kRecentRequestsMax) recent_.pop_front();
    ++since_taken_;
    if (!is_workload_due()) return;
    since_taken_ = 0;
    workload_.assign(recent_.begin(), recent_.end());
    for (auto& [id, site] : sites_)
        for (auto& [sku, pool] : site.pools)
            if (pool.ready()) pool.set_terms(terms_of(site, pool.sku(), pool.models()));
}

bool Engine::is_workload_due() const {
    if (workload_.size() < kRecentRequestsMax)
        return recent_.size() >= std::min(kRecentRequestsMax, kWorkloadGrowth * workload_.size());
    if (since_taken_ >= kWorkloadAnew) return true;
    return since_taken_ % kRecentRequestsRefresh == 0 && drifted(workload_, recent_);
}

// ---- pools

Engine::SiteState* Engine::site_of(SiteId id) {
    const auto found = sites_.find(id);
    return found == sites_.end() ? nullptr : &found->second;
}

Pool* Engine::ready_pool(SiteState& site, std::string_view sku) {
    const auto found = site.pools.find(sku);
    if (found == site.pools.end()) return nullptr;
    Pool& pool = found->second;
    if (!pool.ready()) pool.make(parts_of(site, pool));
    if (pool.placer().nodes().empty()) return nullptr;  // its nodes lost their devices
    pool.bound_shapes();
    return &pool;
}

PoolParts Engine::parts_of(const SiteState& site, const Pool& pool) const {
    PoolParts parts{.advisory_limits = site.site.spec.advisory_limits};
    for (const auto& [key, host] : site.hosts) {
        if (pool.sku() != kCpuSku && !host.models().contains(pool.sku())) continue;
        parts.hosts.push_back(&host);
        if (pool.sku() != kCpuSku) continue;
        for (const auto& [model, positions] : host.models())
            if (parts.models.size() < placement::kDeviceModelsMax)
                parts.models.try_emplace(model, static_cast<std::uint8_t>(parts.models.size()));
    }
    if (pool.sku() != kCpuSku) parts.models[pool.sku()] = 0;
    parts.terms = terms_of(site, pool.sku(), parts.models);
    return parts;
}

PoolTerms Engine::terms_of(
    const SiteState& site, std::string_view sku, const std::map<std::string, std::uint8_t>& models
) const {
    PoolTerms terms{.workload = workload_for(models)};
    Result<std::unique_ptr<placement::Policy>> policy = make_pool_policy(
        site.site.spec, sku,
        {.workload = terms.workload, .models = std::max(1, static_cast<int>(models.size()))}
    );
    CHECK(policy.has_value(), "a site's policies are validated");
    terms.policy = std::move(*policy);
    return terms;
}

std::vector<placement::WorkloadShape> Engine::workload_for(
    const std::map<std::string, std::uint8_t>& models
) const {
    std::vector<placement::Request> requests;
    for (const ResourceRequest& recent : workload_) {
        const std::optional<placement::Request> request = request_for(recent, models);
        if (request) requests.push_back(*request);
    }
    return placement::target_workload(requests);
}

// ---- decisions

const Host* Engine::find(NodeId id) const {
    const auto found = host_of_.find(id);
    return found == host_of_.end() ? nullptr : found->second.second;
}

std::vector<const Host*> Engine::hosts_of(const SiteState& site, const std::vector<NodeId>& ids)
    const {
    std::vector<const Host*> hosts;
    for (const NodeId id : ids) {
        const auto found = host_of_.find(id);
        if (found != host_of_.end() && found->second.first == &site)
            hosts.push_back(found->second.second);
    }
    return hosts;
}

std::optional<Pick> Engine::pick(
    SiteId id, const ResourceRequest& request, const std::vector<NodeId>& avoid
) {
    Pool* from = pool(id, sku_of(request));
    if (from == nullptr) return std::nullopt;
    return from->pick(request, hosts_of(*site_of(id), avoid), position_ ^ id.raw().low);
}

Pool* Engine::pool(SiteId id, std::string_view sku) {
    SiteState* site = site_of(id);
    return site == nullptr ? nullptr : ready_pool(*site, sku);
}

bool Engine::can_ever(const Host& host, const Accelerator& asked) {
    return scheduler::devices_milli(host.node().total, asked) >= asked.count_milli;
}

scheduler::Input Engine::input_of(const DecisionQuestion& question) {
    return {
        .spec = question.spec,
        .spec_sha256 = question.spec_sha256,
        .items = question.items,
        .supplies = {},
        .avoid = question.avoid,
        .leave = question.leave.value_or(std::vector<NodeId>()),
        .profile = profile_of(question.runs),
        .budget_left = question.budget_left,
        .now = question.now,
        .callers = question.callers.value_or(std::vector<CallerShare>()),
        .at_once = question.at_once.value_or(false),
        .deadline_margin = kDeadlineMargin
    };
}

DecisionAnswer Engine::decide(const DecisionQuestion& question) {
    if (question.reclaim) return decide_reclaim(question);
    if (question.spec.num_nodes > 1) return decide_gang(question);
    scheduler::Input input = input_of(question);
    const std::vector<Choice> choices = choices_of(question.spec);
    std::vector<NodeId> last = question.avoid;
    last.insert(last.end(), input.leave.begin(), input.leave.end());
    Picks picks;
    DecisionAnswer answer;
    for (auto& [id, site] : sites_) {
        for (const Choice& choice : choices) {
            std::optional<Pick> found = pick(id, choice.request, last);
            if (!found) continue;
            answer.picks.push_back(
                {id, std::string(sku_of(choice.request)), found->host->node().id, found->devices}
            );
            picks[{id, choice.asked}] = *std::move(found);
        }
        if (nodes() <= kNodesShownMax)
            add_all(site, choices, picks, input);
        else
            add_few(site, choices, picks, input);
    }
    const StagingRoutes routes(question.runs.staging_source);
    for (scheduler::Supply& supply : input.supplies) {
        supply.staging = routes.to(*supply.site);
        supply.restarts = restarts_of(supply.site->id);
    }
    answer.plan = scheduler::plan(input);
    if (!answer.plan.feasible) return answer;
    const Candidate& chosen = *std::ranges::find_if(answer.plan.candidates, &Candidate::chosen);
    for (const auto& [key, pick] : picks)
        if (pick.host->node().id == chosen.node_id &&
            (key.second == nullptr || *key.second == chosen.request.accelerator))
            answer.devices = pick.devices;
    return answer;
}

std::vector<Engine::Choice> Engine::choices_of(const TaskSpec& spec) {
    const ResourceRequest request = scheduler::request_of(spec);
    if (!spec.resources.accelerators) return {{nullptr, request}};
    std::vector<Choice> choices;
    for (const Accelerator& asked : spec.resources.accelerators->choices) {
        choices.push_back({&asked, request});
        choices.back().request.accelerator = asked;
    }
    return choices;
}

scheduler::Supply Engine::supply_of(const SiteState& site, const Host& host, const Choice& choice) {
    scheduler::Supply supply{.site = &site.site, .node = &host.node(), .free = host.free()};
    if (site.outlook) supply.outlook = &*site.outlook;
    supply.asked = choice.asked;
    if (const Accelerator* asked = choice.asked)
        supply.free.accelerator_milli[asked->model] =
            host.usable_milli(*asked, choice.request.linked);
    return supply;
}

void Engine::add_all(
    const SiteState& site, const std::vector<Choice>& choices, const Picks& picks,
    scheduler::Input& input
) {
    for (const auto& [name, host] : site.hosts) {
        bool any = false;
        for (const Choice& choice : choices) {
            if (choice.asked != nullptr && !can_ever(host, *choice.asked)) continue;
            any = true;
            scheduler::Supply supply = supply_of(site, host, choice);
            const auto pick = picks.find({site.site.id, choice.asked});
            supply.order = pick != picks.end() && pick->second.host == &host ? 0 : 1;
            input.supplies.push_back(supply);
        }
        // None of them: the table says what it lacks of the first.
        if (!any) input.supplies.push_back(supply_of(site, host, {}));
    }
}

void Engine::add_few(
    SiteState& site, const std::vector<Choice>& choices, const Picks& picks, scheduler::Input& input
) {
    bool any = false;
    for (const Choice& choice : choices) {
        Pool* pool = ready_pool(site, sku_of(choice.request));
        if (pool == nullptr) continue;
        any = true;
        if (const auto pick = picks.find({site.site.id, choice.asked}); pick != picks.end()) {
            input.supplies.push_back(supply_of(site, *pick->second.host, choice));
            input.supplies.back().alike =
                std::max<std::int64_t>(0, pool->fitting(choice.request) - 1);
            continue;
        }
        for (const Refusal& refusal : pool->refusals(choice.request)) {
            input.supplies.push_back(supply_of(site, *refusal.host, choice));
            input.supplies.back().order = 1;
            input.supplies.back().alike = refusal.alike;
        }
    }
    if (any || site.hosts.empty()) return;
    input.supplies.push_back(supply_of(site, site.hosts.begin()->second, {}));
    input.supplies.back().alike = std::ssize(site.hosts) - 1;
}

}  // namespace penstock::dispatch
