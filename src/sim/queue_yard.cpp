// SPDX-License-Identifier: Apache-2.0
#include "sim/queue_yard.h"

#include <algorithm>
namespace penstock::sim {
namespace {

using scheduler::Held;
using scheduler::Place;
using scheduler::QueueItem;
using scheduler::Resident;
using scheduler::Started;

void take(Capacity& free, const ResourceRequest& request, std::int64_t sign) {
    free.cpu_milli -= sign * request.cpu_milli;
    free.memory_mib -= sign * request.memory_mib;
    if (request.accelerator)
        free.accelerator_milli[request.accelerator->model] -=
            sign * request.accelerator->count_milli;
}

bool fits(const ResourceRequest& request, const Capacity& free) {
    if (request.cpu_milli > free.cpu_milli || request.memory_mib > free.memory_mib) return false;
    if (!request.accelerator) return true;
    const auto found = free.accelerator_milli.find(request.accelerator->model);
    return found != free.accelerator_milli.end() &&
           found->second >= request.accelerator->count_milli;
}

double device_seconds(const ResourceRequest& request, Duration span) {
    return request.accelerator
               ? static_cast<double>(request.accelerator->count_milli) / 1000 * to_seconds(span)
               : 0;
}

}  // namespace

ReplayYard::ReplayYard(
    std::vector<Capacity> nodes, const QueueTrace& trace, const QueueOptions& options
)
    : trace_(trace), options_(options), random_(options.seed), times_(trace.workloads) {
    for (Capacity& total : nodes) {
        Node node{.id = ids_.next<NodeId>(now_), .total = total, .free = total};
        if (!total.accelerator_milli.empty()) node.model = total.accelerator_milli.begin()->first;
        numbers_[node.id] = nodes_.size();
        nodes_.push_back(std::move(node));
    }
    for (const std::string& name : trace.tenants) {
        tenants_.push_back({ids_.next<OrganisationId>(now_), ids_.next<ProjectId>(now_)});
        const auto stated = std::ranges::find(options.tenants, name, &TenantRules::tenant);
        rules_.push_back(stated == options.tenants.end() ? TenantRules{} : *stated);
    }
}

std::optional<ResourceRequest> ReplayYard::request_on(const Node& node, const QueuedTask& task)
    const {
    ResourceRequest request{.cpu_milli = task.cpu_milli, .memory_mib = task.memory_mib};
    if (task.devices_milli == 0) return request;
    const bool allowed =
        task.models.empty() || std::ranges::find(task.models, node.model) != task.models.end();
    if (node.model.empty() || !allowed) return std::nullopt;
    request.accelerator = Accelerator{.model = node.model, .count_milli = task.devices_milli};
    return request;
}

bool ReplayYard::arrive(std::size_t task, Time at) {
    now_ = at;
    const QueuedTask& asked = trace_.tasks[task];
    const TenantRules& rules = rules_[asked.tenant];
    QueueJob job{
        .task = task,
        .left = asked.lasts,
        .preemptible = rules.preemptible || rules.spot,
        .arrived = at
    };
    job.item = {
        .work = jobs_.size() + 1,
        .group = jobs_.size() + 1,
        .tenant = tenants_[asked.tenant],
        .priority = asked.priority,
        .spot = rules.spot
    };
    bool possible = false;
    for (const Node& node : nodes_) {
        const std::optional<ResourceRequest> request = request_on(node, asked);
        if (!request || !fits(*request, node.total)) continue;
        possible = true;
        job.item.request = *request;
        break;
    }
    job.done = !possible;
    if (possible) waiting_.emplace(-asked.priority, jobs_.size());
    jobs_.push_back(std::move(job));
    return possible;
}

Time ReplayYard::end_of(const QueueJob& job) const {
    const Time end = job.started + job.left;
    return job.leaves_at ? std::min(end, *job.leaves_at) : end;
}

std::optional<Time> ReplayYard::next_end() const {
    return ends_.empty() ? std::nullopt : std::optional(ends_.begin()->first);
}

void ReplayYard::end_until(Time at) {
    while (!ends_.empty() && ends_.begin()->first <= at) {
        now_ = ends_.begin()->first;
        const std::size_t job = ends_.begin()->second;
        ends_.erase(ends_.begin());
        stop(job);
    }
    now_ = at;
}

// At its end, or where it has to leave: then it waits again with what its last checkpoint kept.
void ReplayYard::stop(std::size_t index) {
    QueueJob& job = jobs_[index];
    Node& node = nodes_[*job.node];
    take(node.free, job.holds, -1);
    std::erase(node.jobs, index);
    job.node.reset();
    const Duration ran = now_ - job.started;
    device_seconds_used_ += device_seconds(job.holds, ran);
    last_end_ = now_;
    if (ran >= job.left) {
        job.done = true;
        learn(job);
        return;
    }
    // A checkpoint is stored before it leaves, within the notice.
    const Duration kept =
        options_.checkpoint_every > Duration{0} ? ran - scheduler::kPreemptionGrace : Duration{0};
    const Duration saved = std::max(kept, Duration{0});
    device_seconds_lost_ += device_seconds(job.holds, ran - saved);
    job.left -= saved;
    job.leaves_at.reset();
    ++job.preemptions;
    ++evictions_;
    waiting_.emplace(-job.item.priority, index);
}

void ReplayYard::learn(const QueueJob& job) {
    if (job.preemptions > 0) return;
    const std::size_t workload = trace_.tasks[job.task].workload;
    const std::string key = std::to_string(workload);
    history_.add(key, {.run_time = job.left});
    times_[workload].seen = history_.run_times(key);
}

const scheduler::RunTimes& ReplayYard::times_of(const QueueJob& job) const {
    return times_[trace_.tasks[job.task].workload];
}

// Less what an earlier attempt saved.
scheduler::RunTimes ReplayYard::times_left(const QueueJob& job) const {
    scheduler::RunTimes times = times_of(job);
    const Duration saved = trace_.tasks[job.task].lasts - job.left;
    if (saved > Duration{0})
        for (Duration& seen : times.seen) seen = std::max(seen - saved, Duration{0});
    return times;
}

scheduler::FairQueue ReplayYard::fair_queue() const {
    scheduler::Amounts total;
    for (const Node& node : nodes_) total.add(scheduler::amounts_of(node.total));
    scheduler::FairQueue queue(std::move(total));
    for (std::size_t i = 0; i < tenants_.size(); ++i)
        queue.set_quota(tenants_[i].organisation, rules_[i].quota);
    for (const Node& node : nodes_)
        for (const std::size_t job : node.jobs)
            if (!jobs_[job].leaves_at)
                queue.charge(jobs_[job].item.tenant, scheduler::amounts_of(jobs_[job].holds));
    return queue;
}

void ReplayYard::round(
    const scheduler::QueueRules& rules, scheduler::Reservations& promises, Time at
) {
    now_ = at;
    if (waiting_.empty()) return;
    std::vector<QueueItem> items;
    items.reserve(waiting_.size());
    for (const auto& [priority, job] : waiting_) {
        jobs_[job].item.at_most = times_left(jobs_[job]).at_most();
        items.push_back(jobs_[job].item);
    }
    scheduler::FairQueue queue = fair_queue();
    (void)scheduler::QueueRound(queue, promises, std::move(items), *this, SIZE_MAX, rules).run(at);
}

// ---- scheduler::Yard

Capacity ReplayYard::total(NodeId node) const { return nodes_[index_of(node)].total; }

std::vector<Held> ReplayYard::held(NodeId node) const {
    std::vector<Held> all;
    for (const std::size_t index : nodes_[index_of(node)].jobs) {
        const QueueJob& job = jobs_[index];
        Held held{
            .request = job.holds,
            .since = job.started,
            .ends = job.leaves_at,
            .leaves = job.leaves_at.has_value()
        };
        if (!held.ends)
            if (const auto left = times_left(job).left(0.5, now_ - job.started))
                held.ends = now_ + *left;
        all.push_back(std::move(held));
    }
    return all;
}

// Best fit: the fewest devices left over, then the fewest CPUs.
Started ReplayYard::start(const QueueItem& item, const scheduler::Reservations& promises) {
    QueueJob& job = job_of(item);
    const QueuedTask& asked = trace_.tasks[job.task];
    bool kept = false;
    std::optional<std::size_t> best;
    std::pair<std::int64_t, std::int64_t> least;
    const scheduler::Reservation* own = promises.find(item.work);
    for (std::size_t i = 0; i < nodes_.size(); ++i) {
        const Node& node = nodes_[i];
        if (own != nullptr && own->by_notice && own->places.front().node != node.id) continue;
        const std::optional<ResourceRequest> request = request_on(node, asked);
        if (!request || !fits(*request, node.free)) continue;
        if (promises.disturbed_by(item.work, {node.id, *request}, item.at_most, now_, *this)) {
            kept = true;
            continue;
        }
        const std::int64_t devices =
            node.model.empty() ? 0 : node.free.accelerator_milli.at(node.model);
        const std::pair left{devices - asked.devices_milli, node.free.cpu_milli};
        if (best && least <= left) continue;
        best = i;
        least = left;
    }
    if (!best) return kept ? Started::kept : Started::no_room;
    Node& node = nodes_[*best];
    job.node = best;
    job.holds = *request_on(node, asked);
    job.started = now_;
    if (!job.first_started) job.first_started = now_;
    take(node.free, job.holds, 1);
    node.jobs.push_back(item.work - 1);
    waiting_.erase({-item.priority, item.work - 1});
    ends_.emplace(end_of(job), item.work - 1);
    return Started::yes;
}

std::vector<Place> ReplayYard::suited(const QueueItem& item) {
    std::vector<Place> places;
    for (const Node& node : nodes_) {
        std::optional<ResourceRequest> request = request_on(node, trace_.tasks[job_of(item).task]);
        if (request && fits(*request, node.total)) places.push_back({node.id, *std::move(request)});
    }
    return places;
}

// Never asked: each recorded task takes one node.
std::optional<std::vector<Place>>
ReplayYard::together(const QueueItem&, const std::vector<Place>&) {
    return std::nullopt;
}

std::vector<Resident> ReplayYard::residents_on(const Node& node) const {
    std::vector<Resident> residents;
    for (const std::size_t index : node.jobs) {
        const QueueJob& job = jobs_[index];
        if (!job.preemptible) continue;
        const Duration ran = now_ - job.started;
        const Duration every = options_.checkpoint_every;
        Resident resident{
            .id = job.item.work,
            .tenant = job.item.tenant,
            .request = &job.holds,
            .priority = job.item.priority,
            .preemptible = true,
            .spot = job.item.spot,
            .unsaved = every > Duration{0} ? ran % every : ran,
            .leaves = job.leaves_at.has_value()
        };
        if (job.preemptions > 0) resident.quiet_until = job.started + scheduler::kPreemptionQuiet;
        residents.push_back(std::move(resident));
    }
    return residents;
}

std::optional<scheduler::Reclaim> ReplayYard::reclaim(
    const QueueItem& item, const scheduler::FairQueue& queue,
    const scheduler::Reservations& promises
) {
    scheduler::ReclaimGround ground{.places = suited(item)};
    for (const Place& place : promises.given_by_notice(item.work))
        ground.promised[place.node].push_back(place.request);
    ground.overlay = [this, &places = ground.places](std::size_t place) {
        const Node& node = nodes_[index_of(places[place].node)];
        return std::make_unique<scheduler::AmountsOverlay>(node.free, residents_on(node));
    };
    return scheduler::plan_reclaim(queue, {item.tenant, item.priority, item.spot}, ground, now_);
}

void ReplayYard::give_notice(const QueueItem&, const scheduler::Reclaim& reclaim) {
    for (const Resident& victim : reclaim.victims) {
        const std::size_t index = victim.id - 1;
        QueueJob& job = jobs_[index];
        ends_.erase({end_of(job), index});
        job.leaves_at = now_ + scheduler::kPreemptionGrace;
        ends_.emplace(end_of(job), index);
    }
}

// ---- what is foretold

std::vector<std::size_t> ReplayYard::order_until(std::size_t wanted) const {
    scheduler::FairQueue queue = fair_queue();
    for (const auto& [priority, job] : waiting_)
        queue.add(jobs_[job].item.tenant, job, scheduler::amounts_of(jobs_[job].item.request));
    std::vector<std::size_t> order;
    while (const std::optional<std::size_t> next = queue.pop()) {
        const QueueItem& item = jobs_[*next].item;
        const scheduler::Amounts asked = scheduler::amounts_of(item.request);
        if (*next != wanted && queue.blocked(item.tenant, asked)) continue;
        order.push_back(*next);
        if (*next == wanted) break;
        queue.charge(item.tenant, asked);
    }
    return order;
}

scheduler::WaitQuantiles ReplayYard::foretell(std::size_t wanted) const {
    scheduler::EstimateInput input{.seed = options_.seed};
    for (std::size_t i = 0; i < nodes_.size(); ++i) {
        input.nodes.push_back(nodes_[i].total);
        for (const std::size_t job : nodes_[i].jobs)
            input.running.push_back(
                {i, jobs_[job].holds, now_ - jobs_[job].started, times_left(jobs_[job])}
            );
    }
    for (const std::size_t job : order_until(wanted)) {
        scheduler::EstimateWaiting entry{.times = times_left(jobs_[job])};
        for (std::size_t i = 0; i < nodes_.size(); ++i)
            if (auto request = request_on(nodes_[i], trace_.tasks[jobs_[job].task]))
                entry.places.push_back({i, *std::move(request)});
        input.waiting.push_back(std::move(entry));
    }
    return scheduler::estimate_wait(input);
}

}  // namespace penstock::sim
