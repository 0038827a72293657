// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <algorithm>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "base/random.h"
#include "scheduler/queue_round.h"

namespace penstock::scheduler {

inline const Time kQueueStart = *parse_rfc3339("2026-11-24T00:00:00Z");

inline ResourceRequest devices(std::int64_t count, std::int64_t cpus = 1) {
    ResourceRequest request{.cpu_milli = cpus * 1000, .memory_mib = 1024};
    if (count > 0) request.accelerator = Accelerator{.model = "H100", .count_milli = count * 1000};
    return request;
}
inline ResourceRequest cpus(std::int64_t count) { return devices(0, count); }

inline Capacity machine(std::int64_t cpus, std::int64_t gpus = 0) {
    Capacity capacity{.cpu_milli = cpus * 1000, .memory_mib = 1024L * 1024};
    if (gpus > 0) capacity.accelerator_milli["H100"] = gpus * 1000;
    return capacity;
}

inline Capacity operator-(Capacity capacity, const ResourceRequest& request) {
    capacity.cpu_milli -= request.cpu_milli;
    capacity.memory_mib -= request.memory_mib;
    if (request.accelerator)
        capacity.accelerator_milli[request.accelerator->model] -= request.accelerator->count_milli;
    return capacity;
}

inline bool holds(const Capacity& free, const ResourceRequest& request) {
    if (request.cpu_milli > free.cpu_milli || request.memory_mib > free.memory_mib) return false;
    if (!request.accelerator) return true;
    const auto found = free.accelerator_milli.find(request.accelerator->model);
    return found != free.accelerator_milli.end() &&
           found->second >= request.accelerator->count_milli;
}

// A small place where queued work runs for exactly as long as it says, driven by rounds.
class Court final : public Yard {
  public:
    struct Job {
        QueueItem item;
        Duration lasts{};
        bool preemptible = false;
        bool knows_its_end = true;
        ResourceRequest each = {};  // of each member; of work of one node, what it asks
        std::optional<NodeId> node;
        std::vector<NodeId> others = {};  // of the other members of a gang
        Time started;
        std::optional<Time> leaves_at;
        std::optional<Time> first_started;
        std::optional<Time> preempted_at;
        std::int64_t preemptions = 0;
        bool done = false;
        std::string said;  // why it waits

        void make_gang(std::int64_t nodes) {
            item.nodes = nodes;
            item.request.cpu_milli = each.cpu_milli * nodes;
            item.request.memory_mib = each.memory_mib * nodes;
            if (each.accelerator)
                item.request.accelerator->count_milli = each.accelerator->count_milli * nodes;
        }
        bool is_on(NodeId id) const {
            return node == id || (node && std::ranges::find(others, id) != others.end());
        }
    };

    explicit Court(const std::vector<Capacity>& machines) {
        for (const Capacity& each : machines) nodes_.emplace_back(ids_.next<NodeId>(now), each);
    }

    Court(const Court&) = delete;  // ids_ refers to random_
    Court& operator=(const Court&) = delete;

    Tenant tenant(std::size_t organisation, std::size_t project = 0) {
        while (organisations_.size() <= organisation)
            organisations_.push_back({ids_.next<OrganisationId>(now), {}});
        auto& projects = organisations_[organisation].second;
        while (projects.size() <= project) projects.push_back(ids_.next<ProjectId>(now));
        return {organisations_[organisation].first, projects[project]};
    }
    void set_quota(std::size_t organisation, const ComputeQuota& quota) {
        quotas_[tenant(organisation).organisation] = quota;
    }
    std::size_t submit(
        const Tenant& tenant, const ResourceRequest& request, Duration lasts,
        std::int64_t priority = 0
    ) {
        Job job;
        job.item = {
            .work = jobs.size() + 1,
            .group = jobs.size() + 1,
            .tenant = tenant,
            .priority = priority,
            .request = request,
            .at_most = lasts
        };
        job.lasts = lasts;
        job.each = request;
        jobs.push_back(std::move(job));
        return jobs.size() - 1;
    }
    // Of `nodes` members, each of which asks `request`; they may lie anywhere.
    std::size_t submit_gang(
        const Tenant& tenant, const ResourceRequest& request, std::int64_t nodes, Duration lasts,
        std::int64_t priority = 0
    ) {
        const std::size_t index = submit(tenant, request, lasts, priority);
        jobs[index].make_gang(nodes);
        return index;
    }

    FairQueue queue() const {
        Amounts total;
        for (const auto& [id, capacity] : nodes_) total.add(amounts_of(capacity));
        FairQueue queue(total);
        for (const auto& [organisation, quota] : quotas_) queue.set_quota(organisation, quota);
        for (const Job& job : jobs)
            if (job.node && !job.leaves_at)
                queue.charge(job.item.tenant, amounts_of(job.item.request));
        return queue;
    }
    void round() {
        FairQueue fair = queue();
        std::vector<QueueItem> items;
        for (const Job& job : jobs)
            if (!job.node && !job.done) items.push_back(job.item);
        std::ranges::sort(items, [](const QueueItem& a, const QueueItem& b) {
            return std::pair(-a.priority, a.work) < std::pair(-b.priority, b.work);
        });
        (void)QueueRound(fair, promises, std::move(items), *this, 1000).run(now);
    }
    // To the next end of a run, or to when someone has to have left.
    bool advance() {
        std::optional<Time> next;
        for (const Job& job : jobs)
            if (job.node) next = std::min(next.value_or(end_of(job)), end_of(job));
        if (!next) return false;
        advance_by(std::max(*next - now, Duration{0}));
        return true;
    }
    void advance_by(Duration span) {
        now += span;
        for (Job& job : jobs) {
            if (!job.node || end_of(job) > now) continue;
            job.done = now >= job.started + job.lasts;
            if (!job.done) {
                ++job.preemptions;
                job.preempted_at = now;
            }
            job.node.reset();
            job.leaves_at.reset();
        }
    }
    bool within_limits(const Tenant& tenant) const {
        const auto quota = quotas_.find(tenant.organisation);
        if (quota == quotas_.end()) return true;
        const Amounts used = queue().used(tenant.organisation);
        return !limit_hit(quota->second, {}, used);
    }
    Capacity free(NodeId id) const {
        Capacity capacity = total(id);
        for (const Job& job : jobs)
            if (job.is_on(id)) capacity = capacity - job.each;
        return capacity;
    }

    // ---- Yard
    Capacity total(NodeId id) const override {
        return std::ranges::find(nodes_, id, &std::pair<NodeId, Capacity>::first)->second;
    }
    std::vector<Held> held(NodeId id) const override {
        std::vector<Held> all;
        for (const Job& job : jobs)
            if (job.is_on(id))
                all.push_back(
                    {job.each, job.started,
                     job.knows_its_end ? std::optional(end_of(job)) : std::nullopt,
                     job.leaves_at.has_value()}
                );
        return all;
    }
    Started start(const QueueItem& item, const Reservations& kept_room) override {
        bool kept = false;
        Job& job = jobs[item.work - 1];
        std::vector<NodeId> found;
        for (const auto& [id, capacity] : nodes_) {
            if (std::ssize(found) == item.nodes) break;
            if (!holds(free(id), job.each)) continue;
            if (kept_room.disturbed_by(item.work, {id, job.each}, item.at_most, now, *this))
                kept = true;
            else
                found.push_back(id);
        }
        if (std::ssize(found) < item.nodes) return kept ? Started::kept : Started::no_room;
        job.node = found.front();
        job.others.assign(found.begin() + 1, found.end());
        job.started = now;
        if (!job.first_started) job.first_started = now;
        job.said.clear();
        return Started::yes;
    }
    std::vector<Place> suited(const QueueItem& item) override {
        std::vector<Place> places;
        const ResourceRequest& each = item.nodes == 1 ? item.request : jobs[item.work - 1].each;
        for (const auto& [id, capacity] : nodes_)
            if (holds(capacity, each)) places.push_back({id, each});
        return places;
    }
    std::optional<std::vector<Place>> together(
        const QueueItem& item, const std::vector<Place>& places
    ) override {
        if (std::ssize(places) < item.nodes) return std::nullopt;
        return std::vector<Place>(places.begin(), places.begin() + item.nodes);
    }
    ReclaimGround ground(const QueueItem& item, const Reservations& kept_room) {
        ReclaimGround ground{.places = suited(item)};
        for (const Place& place : kept_room.given_by_notice(item.work))
            ground.promised[place.node].push_back(place.request);
        std::vector<NodeId> nodes;
        for (const Place& place : ground.places) nodes.push_back(place.node);
        ground.overlay = [this, nodes = std::move(nodes)](std::size_t place) {
            std::vector<Resident> residents;
            for (const Job& job : jobs)
                if (job.is_on(nodes[place])) residents.push_back(resident(job));
            return std::make_unique<AmountsOverlay>(free(nodes[place]), std::move(residents));
        };
        if (item.nodes == 1) return ground;
        ground.gang = {.members = item.nodes};
        for (std::size_t i = 0; i < ground.places.size(); ++i)
            ground.seats.push_back(
                {.candidate = i, .site = "here", .node = to_string(ground.places[i].node)}
            );
        return ground;
    }
    std::optional<Reclaim> reclaim(
        const QueueItem& item, const FairQueue& fair, const Reservations& kept_room
    ) override {
        Asker asker{item.tenant, item.priority, item.spot};
        if (item.nodes > 1) asker.of_all = amounts_of(item.request);
        return plan_reclaim(fair, asker, ground(item, kept_room), now);
    }
    void give_notice(const QueueItem& item, const Reclaim& reclaim) override {
        for (const Resident& victim : reclaim.victims) {
            jobs[victim.id - 1].leaves_at = now + kPreemptionGrace;
            notices.push_back({item.work - 1, victim.id - 1});
        }
    }
    void wait(const QueueItem& item, const WaitCause& cause) override {
        Job& job = jobs[item.work - 1];
        job.said = cause.limit  ? "quota " + cause.limit->hit.resource
                   : cause.kept ? "kept"
                                : "room";
        if (cause.promise != nullptr) job.said += ", promised";
    }

    Time now = kQueueStart;
    std::vector<Job> jobs;
    Reservations promises;
    std::vector<std::pair<std::size_t, std::size_t>> notices;  // for whom, who

  private:
    static Time end_of(const Job& job) {
        const Time end = job.started + job.lasts;
        return job.leaves_at ? std::min(end, *job.leaves_at) : end;
    }
    Resident resident(const Job& job) const {
        Resident resident{
            .id = job.item.work,
            .tenant = job.item.tenant,
            .request = &job.each,
            .priority = job.item.priority,
            .preemptible = (job.preemptible || job.item.spot) && job.item.nodes == 1,
            .spot = job.item.spot,
            .unsaved = now - job.started,
            .leaves = job.leaves_at.has_value()
        };
        if (job.preemptions > 0) resident.quiet_until = job.started + kPreemptionQuiet;
        return resident;
    }

    SeededRandom random_{7};
    IdSource ids_{random_};
    std::vector<std::pair<NodeId, Capacity>> nodes_;
    std::vector<std::pair<OrganisationId, std::vector<ProjectId>>> organisations_;
    std::map<OrganisationId, ComputeQuota> quotas_;
};

}  // namespace penstock::scheduler
