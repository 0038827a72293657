// SPDX-License-Identifier: Apache-2.0
#include "gateway/load_meter.h"

#include <algorithm>

#include "base/check.h"

namespace penstock::gateway {

void LoadMeter::replace(std::vector<ElasticRoute> services) {
    services_ = std::move(services);
    std::ranges::sort(services_, [](const ElasticRoute& left, const ElasticRoute& right) {
        return left.created_at != right.created_at ? left.created_at < right.created_at
                                                   : left.task_id < right.task_id;
    });
    for (auto& [id, counted] : counted_) counted.listed = false;
    for (const ElasticRoute& service : services_) {
        Counted& counted = counted_[service.task_id];
        counted.use.task_id = service.task_id;
        counted.listed = true;
    }
    std::erase_if(counted_, [](const auto& entry) {
        return !entry.second.listed && entry.second.use.calls_in_flight == 0;
    });
}

const ElasticRoute* LoadMeter::service_of(std::string_view model) const {
    const auto found = std::ranges::find(services_, model, &ElasticRoute::model);
    return found == services_.end() ? nullptr : &*found;
}

LoadMeter::Counted* LoadMeter::find(const TaskId& id) {
    const auto found = counted_.find(id);
    return found == counted_.end() ? nullptr : &found->second;
}

std::optional<LoadMeter::Visit> LoadMeter::arrive(
    const Endpoint& endpoint, std::int64_t prompt_tokens
) {
    Counted* counted = endpoint.task_id && !counted_.empty() ? find(*endpoint.task_id) : nullptr;
    if (counted == nullptr) return std::nullopt;
    const Visit visit{
        *endpoint.task_id, prompt_tokens + static_cast<std::int64_t>(counted->output_tokens_mean)
    };
    ++counted->use.calls_arrived;
    ++counted->use.calls_in_flight;
    counted->use.tokens_arrived += visit.tokens_expected;
    return visit;
}

void LoadMeter::leave(const Visit& visit) {
    Counted* counted = find(visit.task_id);
    CHECK(counted != nullptr, "a service with calls in flight is kept");
    --counted->use.calls_in_flight;
    counted->use.tokens_arrived -= visit.tokens_expected;
}

void LoadMeter::first_token(const TaskId& id, Duration after) {
    if (Counted* counted = find(id)) counted->use.first_tokens.count(after);
}

void LoadMeter::end(const TaskId& id, const Ended& ended) {
    constexpr double kNewest = 0.1;
    Counted* counted = find(id);
    if (counted == nullptr) return;
    counted->use.tokens_arrived += ended.input_tokens + ended.output_tokens;
    if (ended.output_tokens > 0)
        counted->output_tokens_mean +=
            kNewest * (static_cast<double>(ended.output_tokens) - counted->output_tokens_mean);
    if (ended.gap) counted->use.token_gaps.count(*ended.gap);
}

void LoadMeter::hold(const TaskId& id) {
    if (Counted* counted = find(id)) {
        ++counted->use.calls_in_flight;
        ++counted->use.calls_held;
    }
}

void LoadMeter::let_go(const TaskId& id) {
    Counted* counted = find(id);
    CHECK(counted != nullptr, "a service with calls that wait is kept");
    --counted->use.calls_in_flight;
    --counted->use.calls_held;
}

std::vector<ServiceUse> LoadMeter::report() const {
    std::vector<ServiceUse> uses;
    for (const auto& [id, counted] : counted_) uses.push_back(counted.use);
    std::ranges::sort(uses, std::greater(), &ServiceUse::calls_in_flight);
    if (uses.size() > kReportedMax) uses.resize(kReportedMax);
    return uses;
}

}  // namespace penstock::gateway
