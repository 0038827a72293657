// SPDX-License-Identifier: Apache-2.0
#include "server/shared_round.h"

#include <algorithm>
#include <cmath>

#include "model/time_shared.h"
#include "server/profiles.h"
#include "server/queue_yard.h"
#include "tasks/state.h"

namespace penstock::server {
namespace {

// What a job that starts, or starts elsewhere, loses of a round.
constexpr double kMoveS = 30;
// A device without a price counts as good as free; policies divide by prices.
constexpr double kFreePerHour = 1e-6;
constexpr std::int64_t kWholeDevice = fleet::kWholeDeviceMilli;

PoolKey pool_of(const Attempt& attempt) {
    return {attempt.placement.site_id, attempt.request.accelerator->model};
}

double per_hour(const Site& site, const std::string& model) {
    const Result<Price> price = scheduler::hourly_price(
        site, {.cpu_milli = 0, .memory_mib = 0, .accelerator = Accelerator{.model = model}}
    );
    if (!price) return kFreePerHour;
    return std::max(static_cast<double>(price->num) * std::pow(10.0, -price->scale), kFreePerHour);
}

// By how much a tenant's tasks count: an organisation by its weight, whatever the number of its
// tasks, and within it a project likewise.
std::vector<double> weights_of(const Platform& platform, const std::vector<SharedApplicant>& all) {
    const auto weight = [](const auto* owner) {
        return owner != nullptr && owner->quota ? static_cast<double>(owner->quota->weight) : 1.0;
    };
    std::map<ProjectId, std::size_t> tasks;
    std::map<OrganisationId, std::map<ProjectId, double>> projects;
    for (const SharedApplicant& each : all) {
        ++tasks[each.task->project_id];
        projects[each.task->organisation_id][each.task->project_id] =
            weight(platform.directory.find_project(each.task->project_id));
    }
    std::vector<double> weights;
    for (const SharedApplicant& each : all) {
        const std::map<ProjectId, double>& own = projects.at(each.task->organisation_id);
        double sum = 0;
        for (const auto& [project, value] : own) sum += value;
        const ProjectId project = each.task->project_id;
        weights.push_back(
            weight(platform.directory.find_organisation(each.task->organisation_id)) *
            own.at(project) / sum / static_cast<double>(tasks.at(project))
        );
    }
    return weights;
}

class Collector {
  public:
    Collector(const Platform& platform, const RoundScope& scope)
        : platform_(platform), scope_(scope) {
        round_.counted_since = shared_times_counted_since(platform);
    }

    SharedRound run() && {
        for (const Attempt* attempt : scope_.movable)
            add(*platform_.board.find(attempt->task_id), attempt);
        for (const Task* task : scope_.waiting) add(*task, nullptr);
        fill_rooms();
        fill_jobs();
        round_.question.policy = platform_.options().time_sharing.policy;
        round_.question.move_s = kMoveS;
        round_.question.counted_s =
            to_seconds(std::max(platform_.now() - round_.counted_since, Duration{0}));
        return std::move(round_);
    }

  private:
    void add(const Task& task, const Attempt* attempt) {
        if (round_.applicants.size() == kApplicantsMax) return;
        std::vector<scheduler::Place> places =
            suited_places(platform_, task.spec, task.organisation_id);
        if (attempt != nullptr) places.push_back({attempt->placement.node_id, attempt->request});
        SharedApplicant applicant{.task = &task, .attempt = attempt, .requests = {}};
        timeshare::Applicant one;
        for (const scheduler::Place& place : places) {
            const std::optional<std::size_t> room = room_for(place);
            if (!room) continue;
            one.rooms.push_back(*room);
            applicant.requests.emplace(
                round_.pools[round_.question.rooms[*room].kind], place.request
            );
        }
        if (one.rooms.empty()) {
            round_.homeless.push_back(task.id);
            return;
        }
        std::ranges::sort(one.rooms);
        one.rooms.erase(std::ranges::unique(one.rooms).begin(), one.rooms.end());
        if (attempt != nullptr) one.at = room_for({attempt->placement.node_id, attempt->request});
        const ResourceRequest& request = applicant.requests.begin()->second;
        one.needs = {.cpu_milli = request.cpu_milli, .memory_mib = request.memory_mib};
        one.job.devices = request.accelerator->count_milli / kWholeDevice;
        round_.question.applicants.push_back(std::move(one));
        round_.applicants.push_back(std::move(applicant));
    }

    // Absent: there are more pools than policies take.
    std::optional<std::size_t> room_for(const scheduler::Place& place) {
        const Node* node = platform_.fleet.find_node(place.node);
        if (node == nullptr || !place.request.accelerator) return std::nullopt;
        const PoolKey pool{node->site_id, place.request.accelerator->model};
        const auto known = kinds_.find(pool);
        if (known == kinds_.end() && kinds_.size() == timeshare::kKindsMax) return std::nullopt;
        const auto [kind, new_kind] = kinds_.try_emplace(pool, kinds_.size());
        if (new_kind) {
            round_.pools.push_back(pool);
            round_.question.kinds.push_back(
                {.price_per_hour = per_hour(*platform_.fleet.find_site(pool.site), pool.model)}
            );
        }
        const auto [at, new_node] = nodes_.try_emplace(place.node, nodes_.size());
        if (new_node) round_.nodes.push_back(place.node);
        const auto [room, new_room] = rooms_.try_emplace({at->second, kind->second}, rooms_.size());
        if (new_room) round_.question.rooms.push_back({.node = at->second, .kind = kind->second});
        return room->second;
    }

    // What is free, and what those hold who may be told to leave or do; less what is kept.
    void fill_rooms() {
        for (const NodeId id : round_.nodes) {
            const Capacity free = platform_.fleet.free_of(*platform_.fleet.find_node(id));
            round_.question.nodes.push_back(
                {.cpu_milli = free.cpu_milli, .memory_mib = free.memory_mib}
            );
        }
        for (timeshare::Room& room : round_.question.rooms) {
            const dispatch::Host* host = platform_.engine.find(round_.nodes[room.node]);
            if (host == nullptr) continue;
            const Accelerator one{.model = round_.pools[room.kind].model};
            room.devices = host->usable_milli(one, false) / kWholeDevice;
        }
        for (const Attempt* attempt : scope_.movable)
            give(attempt->placement.node_id, attempt->request, 1);
        for (const Attempt* attempt : scope_.leaving)
            give(attempt->placement.node_id, attempt->request, 1);
        for (const TurnOf& each : scope_.open) give(each.turn.node, each.turn.request, -1);
        for (const scheduler::Reservation& promise : scope_.promises.all())
            if (!promise.start || *promise.start < scope_.end + kRoundEndMax)
                for (const scheduler::Place& place : promise.places)
                    give(place.node, place.request, -1);
        for (timeshare::Room& room : round_.question.rooms)
            room.devices = std::max<std::int64_t>(room.devices, 0);
    }

    void give(NodeId id, const ResourceRequest& request, std::int64_t sign) {
        const auto node = nodes_.find(id);
        if (node == nodes_.end()) return;
        round_.question.nodes[node->second].cpu_milli += sign * request.cpu_milli;
        round_.question.nodes[node->second].memory_mib += sign * request.memory_mib;
        if (!request.accelerator) return;
        for (timeshare::Room& room : round_.question.rooms)
            if (room.node == node->second &&
                round_.pools[room.kind].model == request.accelerator->model)
                room.devices += sign * dispatch::device_count(*request.accelerator);
    }

    void fill_jobs() {
        const std::vector<double> weights = weights_of(platform_, round_.applicants);
        for (std::size_t i = 0; i < round_.applicants.size(); ++i) {
            const SharedApplicant& who = round_.applicants[i];
            timeshare::Applicant& one = round_.question.applicants[i];
            const SharedRates rates = shared_rates(platform_, *who.task);
            const auto received = received_by(platform_, who.task->id, round_.counted_since);
            for (const auto& [pool, time] : received_by(platform_, who.task->id, Time{}))
                if (const auto rate = rates.normalised.find(pool.model);
                    rate != rates.normalised.end())
                    one.job.served_s += to_seconds(time) * rate->second;
            one.job.weight = weights[i];
            one.job.rate_min = rates.rate_min;
            one.job.waited_s = who.attempt != nullptr ? 0 : to_seconds(waited(*who.task));
            for (const PoolKey& pool : round_.pools) {
                const bool can = who.requests.contains(pool);
                one.job.rate.push_back(can ? rates.normalised.at(pool.model) : 0);
                const auto got = received.find(pool);
                one.received_s.push_back(got == received.end() ? 0 : to_seconds(got->second));
            }
        }
    }

    Duration waited(const Task& task) const {
        Time since = task.created_at;
        for (const Attempt* attempt : platform_.board.attempts_of(task.id))
            if (attempt->ended_at) since = std::max(since, *attempt->ended_at);
        return std::max(platform_.now() - since, Duration{0});
    }

    const Platform& platform_;
    const RoundScope& scope_;
    SharedRound round_;
    std::map<PoolKey, std::size_t> kinds_;
    std::map<NodeId, std::size_t> nodes_;
    std::map<std::pair<std::size_t, std::size_t>, std::size_t> rooms_;  // by node and kind
};

void normalise(SharedRates& rates, const TaskSpec& spec) {
    double best = 0;
    for (const auto& [model, rate] : rates.stated) best = std::max(best, rate);
    for (const Accelerator& choice : spec.resources.accelerators->choices)
        rates.normalised[choice.model] = best > 0 ? rates.stated.at(choice.model) / best : 1;
    if (best > 0) rates.rate_min = spec.schedule->time_shared->rate_min.value_or(0) / best;
}

}  // namespace

std::int64_t round_at(const Platform& platform) {
    return platform.now().time_since_epoch() / platform.options().time_sharing.round;
}

Time end_of_round(const Platform& platform) {
    return Time{(round_at(platform) + 1) * platform.options().time_sharing.round};
}

SharedRates shared_rates(const Platform& platform, const Task& task) {
    const TaskSpec& spec = task.spec;
    SharedRates rates{
        .stated = spec.schedule->time_shared->rates, .normalised = {}, .from = "stated"
    };
    if (rates.stated.empty()) {
        const scheduler::Profile known = profile_of(platform, spec, task.organisation_id);
        for (const Accelerator& choice : spec.resources.accelerators->choices)
            if (const auto found = known.run_time_on.find(choice.model);
                found != known.run_time_on.end() && found->second > Duration{0})
                rates.stated[choice.model] = 1 / to_seconds(found->second);
        const bool all = rates.stated.size() == spec.resources.accelerators->choices.size();
        rates.from = all ? "history" : "unknown";
        if (!all) rates.stated.clear();
    }
    normalise(rates, spec);
    return rates;
}

std::map<PoolKey, Duration> received_by(const Platform& platform, TaskId task, Time since) {
    std::map<PoolKey, Duration> received;
    for (const Attempt* attempt : platform.board.attempts_of(task)) {
        if (!attempt->running_at || !attempt->request.accelerator) continue;
        const Time begin = std::max(*attempt->running_at, since);
        const Time end = attempt->ended_at.value_or(platform.now());
        if (end > begin) received[pool_of(*attempt)] += end - begin;
    }
    return received;
}

Time shared_times_counted_since(const Platform& platform) {
    std::vector<Time> changes;
    for (const Task* task :
         platform.board.list([](const Task& each) { return is_time_shared(each.spec); })) {
        changes.push_back(task->created_at);
        if (task->ended_at) changes.push_back(*task->ended_at);
    }
    return timeshare::counted_since(std::move(changes));
}

Turn SharedRound::turn_in(std::size_t applicant, std::size_t room) const {
    const timeshare::Room& where = question.rooms[room];
    const PoolKey& pool = pools[where.kind];
    return {
        .pool = pool, .node = nodes[where.node], .request = applicants[applicant].requests.at(pool)
    };
}

SharedRound shared_round(const Platform& platform, const RoundScope& scope) {
    return Collector(platform, scope).run();
}

SharedQuotas::SharedQuotas(
    const Platform& platform, const RoundScope& scope, const SharedRound& round
)
    : round_(round), others_(fair_queue(platform)), queue_(others_) {
    for (const Attempt* attempt : scope.movable)
        others_.release(
            tenant_of(*platform.board.find(attempt->task_id)),
            scheduler::amounts_of(attempt->request)
        );
    for (const TurnOf& each : scope.open)
        others_.charge(tenant_of(*each.task), scheduler::amounts_of(each.turn.request));
    queue_ = others_;
}

bool SharedQuotas::take(std::size_t applicant, std::size_t kind) {
    const SharedApplicant& who = round_.applicants[applicant];
    const auto request = who.requests.find(round_.pools[kind]);
    if (request == who.requests.end()) return true;  // it has no rate there, so it gets nothing
    const scheduler::Tenant tenant = tenant_of(*who.task);
    const scheduler::Amounts asked = scheduler::amounts_of(request->second);
    if (auto limit = queue_.blocked(tenant, asked)) {
        hit_[applicant] = std::move(*limit);
        return false;
    }
    queue_.charge(tenant, asked);
    return true;
}

std::optional<scheduler::TenantLimit> SharedQuotas::limit_of(std::size_t applicant) const {
    const auto found = hit_.find(applicant);
    return found == hit_.end() ? std::nullopt : std::optional(found->second);
}

}  // namespace penstock::server
