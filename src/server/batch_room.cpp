// SPDX-License-Identifier: Apache-2.0
#include <algorithm>

#include "base/check.h"
#include "batches/life.h"
#include "model/replica_policy.h"
#include "scheduler/line_replicas.h"
#include "server/batch_owner.h"

// Lines of batches: whose is next, and at which endpoint.
namespace penstock::server {
namespace {

bool is_listed(const std::vector<std::string>& listed, const std::string& name) {
    return listed.empty() || std::ranges::find(listed, name) != listed.end();
}

bool allows(const std::optional<Limits>& limits, const Endpoint& endpoint) {
    return !limits || (is_listed(limits->providers, endpoint.provider) &&
                       is_listed(limits->sites, endpoint.site));
}

}  // namespace

// ---- what gateways tell ----

bool BatchOwner::is_watched() const { return watched_since_.has_value(); }

io::Task<Result<TakenUses>> BatchOwner::report_uses(ReportUses report) {
    const io::Deadline until = io::Deadline::after(std::min(report.wait, kUsesWaitMax));
    const bool missing = is_watched() && !rooms_.all_heard_since(*watched_since_);
    const bool freer = CO_TRY(rooms_.report(report, platform_.now()));
    if (freer || missing) changed_.notify_all();
    while (!is_watched() && !until.passed() && !platform_.stopping()) co_await watch_.wait(until);
    co_return TakenUses{.watched = is_watched()};
}

std::set<std::string> BatchOwner::models() const {
    std::set<std::string> models;
    for (const auto& [id, running] : running_)
        if (!running.book.all_ended() && batches::gives_lines(platform_.batches.at(id)))
            models.insert(platform_.batches.at(id).model);
    return models;
}

// Once a second: what is measured of room, and whether gateways are to tell more.
void BatchOwner::look_at_room() {
    const Time now = platform_.now();
    rooms_.drop_silent(now);
    const std::set<std::string> models = this->models();
    if (models.empty()) watched_since_.reset();
    if (!models.empty() && !watched_since_) {
        watched_since_ = now;
        watch_.notify_all();
    }
    std::set<BatchId> ids;
    std::int64_t waiting = 0, room = 0, late = 0;
    for (const auto& [id, running] : running_) {
        ids.insert(id);
        if (batches::gives_lines(platform_.batches.at(id))) waiting += running.book.waiting();
    }
    for (const std::string& model : models) {
        std::int64_t places = 0;
        for (const Place& place : this->places(model)) {
            room += place.room.lines;
            places += place.room.lines + place.load.lines;
        }
        pace_.places_seen(model, places, now);
        late += std::ranges::count(
            scheduler::pressure_of(demands(model), pace_.places(model), now),
            scheduler::LinePressure::late
        );
    }
    pace_.keep_only(ids, models);
    queue_.keep_only(models);
    waiting_->set(static_cast<double>(waiting));
    room_->set(static_cast<double>(room));
    late_->set(static_cast<double>(late));
}

// How long a line had a place, whatever came of it.
void BatchOwner::measure(const LineReport& report) {
    const auto running = running_.find(report.line.batch_id);
    if (running == running_.end() || !report.record) return;
    const batches::LineClaim* claim = running->second.book.find_claim(report.line.line);
    if (claim == nullptr) return;
    pace_.line_ended(
        report.line.batch_id, platform_.batches.at(report.line.batch_id).model,
        platform_.now() - claim->since
    );
}

// ---- room ----

// As the table of routes was when it changed last.
const std::vector<EndpointId>& BatchOwner::sellers(const std::string& model) const {
    if (sellers_version_ != platform_.last_route_version()) {
        sellers_.clear();
        for (const auto& [id, row] : platform_.endpoints)
            if (row.endpoint.batch_percent && row.endpoint.state == EndpointState::ready)
                sellers_[row.endpoint.model].push_back(id);
        sellers_version_ = platform_.last_route_version();
    }
    return sellers_[model];
}

std::vector<BatchOwner::Place> BatchOwner::places(const std::string& model) const {
    std::map<EndpointId, std::int64_t> lines;
    for (const auto& [id, running] : running_)
        for (const auto& [line, claim] : running.book.claims()) ++lines[claim.endpoint_id];
    std::vector<Place> places;
    for (const EndpointId id : sellers(model)) {
        const Endpoint& endpoint = platform_.endpoints.at(id).endpoint;
        Place& place = places.emplace_back(Place{.endpoint = &endpoint});
        place.load = rooms_.load(id, model);
        if (const auto found = lines.find(id); found != lines.end())
            place.load.lines = found->second;
        place.open = rooms_.is_open(id);
        place.room = batches::room_for_lines(place.load);
        if (!place.open) place.room.lines = 0;
    }
    return places;
}

bool BatchOwner::is_allowed(const StoredBatch& batch, const Endpoint& endpoint) const {
    const access::StoredKey* key = platform_.directory.find_key(batch.key_id);
    const Project* project = platform_.directory.find_project(batch.project_id);
    const Organisation* organisation = platform_.directory.find_organisation(batch.organisation_id);
    return allows(key->key.limits, endpoint) && allows(project->limits, endpoint) &&
           allows(organisation->limits, endpoint);
}

// With the most room. A key that may use none of the model's endpoints is sent to any: its line
// gets the error that its call would get.
BatchOwner::Place* BatchOwner::place_for(
    const StoredBatch& batch, std::vector<Place>& among, const std::string& replica
) const {
    const auto best_of = [&](bool allowed_only) {
        Place* best = nullptr;
        for (Place& place : among) {
            if (place.room.lines <= 0 || (best != nullptr && place.room.lines <= best->room.lines))
                continue;
            if (!rooms_.is_open(place.endpoint->id, replica)) continue;
            if (!allowed_only || is_allowed(batch, *place.endpoint)) best = &place;
        }
        return best;
    };
    if (Place* best = best_of(true)) return best;
    const bool any_allowed = std::ranges::any_of(among, [&](const Place& place) {
        return is_allowed(batch, *place.endpoint);
    });
    return any_allowed ? nullptr : best_of(false);
}

// ---- whose turn it is ----

bool BatchOwner::may_give(const StoredBatch& batch, const Running& running) const {
    const Time now = platform_.now();
    return batches::gives_lines(batch) && now < batch.expires_at && now >= running.not_before;
}

std::vector<scheduler::LineDemand> BatchOwner::demands(const std::string& model) const {
    std::vector<scheduler::LineDemand> demands;
    for (const auto& [id, running] : running_) {
        const StoredBatch& batch = platform_.batches.at(id);
        if (batch.model != model || !batches::gives_lines(batch)) continue;
        const std::int64_t left =
            running.book.total() - running.book.completed() - running.book.failed();
        if (left == 0) continue;
        demands.push_back(
            {.batch = id,
             .tenant = {batch.organisation_id, batch.project_id},
             .waiting = may_give(batch, running) ? running.book.waiting() : 0,
             .left = left,
             .line_time = pace_.line_time(id, model),
             .expires_at = batch.expires_at}
        );
    }
    return demands;
}

void BatchOwner::take_weights(const scheduler::Tenant& tenant) {
    const Project* project = platform_.directory.find_project(tenant.project);
    const Organisation* organisation = platform_.directory.find_organisation(tenant.organisation);
    queue_.set_weights(
        tenant, organisation->quota ? organisation->quota->weight : 1,
        project->quota ? project->quota->weight : 1
    );
}

std::vector<RunningLine> BatchOwner::choose(const ClaimLines& wanted) {
    std::vector<RunningLine> chosen;
    const Time now = platform_.now();
    if (now < started_at_ + kClaimsRest || !is_watched()) return chosen;
    rooms_.drop_silent(now);
    if (!rooms_.all_heard_since(*watched_since_) && now < *watched_since_ + kUsesHeardWithin)
        return chosen;
    for (const std::string& model : models()) choose(wanted, model, chosen);
    return chosen;
}

void BatchOwner::choose(
    const ClaimLines& wanted, const std::string& model, std::vector<RunningLine>& chosen
) {
    const std::int64_t lines_max = std::min(kClaimLinesMax, wanted.room);
    std::vector<Place> places = this->places(model);
    std::vector<scheduler::LineDemand> demands = this->demands(model);
    if (demands.empty() ||
        std::ranges::none_of(places, [](const Place& place) { return place.room.lines > 0; }))
        return;
    for (const scheduler::LineDemand& demand : demands) take_weights(demand.tenant);
    const Time now = platform_.now();
    scheduler::LineQueue::Turn turn(queue_, model, demands, pace_.places(model), now);
    while (std::ssize(chosen) < lines_max) {
        Place* place = nullptr;
        const auto grant = turn.next([&](std::size_t at) {
            place = place_for(platform_.batches.at(demands[at].batch), places, wanted.replica);
            return place != nullptr;
        });
        if (!grant) return;
        const std::optional<LineTry> line = running_.at(demands[grant->demand].batch)
                                                .book.claim(
                                                    {.owner = wanted.run_id,
                                                     .endpoint_id = place->endpoint->id,
                                                     .since = now,
                                                     .until = now + kClaimLives}
                                                );
        CHECK(line.has_value(), "a demand has as many lines as it says");
        --place->room.lines;
        (grant->pressed ? given_pressed_ : given_by_shares_)->add();
        chosen.push_back({*line, place->endpoint->id});
    }
}

// ---- replicas ----

std::int64_t BatchOwner::replicas_for_lines(const Task& task) {
    const ServiceSpec& service = *task.spec.service;
    if (!service.model || !service.batch_percent || !service.replica_policy) return 0;
    scheduler::ReplicaPlaces there{.cold_start = service.replica_policy->cold_start};
    double own = 0;
    double replicas = 0;
    for (const Place& place : places(*service.model)) {
        const auto lines = static_cast<double>(place.room.lines + place.load.lines);
        if (place.endpoint->task_id != task.id) {
            there.of_others += lines;
            continue;
        }
        own += lines;
        replicas += 1;
    }
    there.of_one = replicas > 0 ? std::max(1.0, own / replicas)
                                : static_cast<double>(batches::kLinesPerEndpoint);
    std::vector<scheduler::LineDemand> near;
    for (const scheduler::LineDemand& demand : demands(*service.model)) {
        Running& running = running_.at(demand.batch);
        running.near_end = running.near_end || scheduler::is_near(demand, there, platform_.now());
        if (running.near_end) near.push_back(demand);
    }
    return scheduler::replicas_for(near, there, platform_.now());
}

}  // namespace penstock::server
