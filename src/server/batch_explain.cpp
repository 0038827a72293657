// SPDX-License-Identifier: Apache-2.0
#include <fmt/format.h>

#include <algorithm>
#include <array>

#include "batches/life.h"
#include "server/batch_owner.h"

// Why the lines of a batch wait: the turn that would be taken now, looked at and not taken.
namespace penstock::server {
namespace {

struct Text {
    std::string_view message;
    std::string_view message_zh;
    std::string_view remedy;
    std::string_view remedy_zh;
};

Text words_of(BatchWait wait) {
    switch (wait) {
        case BatchWait::none:
            return {};
        case BatchWait::input:
            return {"its input is being read", "正在读取输入", "", ""};
        case BatchWait::no_endpoint:
            return {
                "no endpoint that sells batches of the model is ready",
                "没有出售该模型批处理且就绪的接入点",
                "wait: near the end of its window a service is started where nodes are idle; or "
                "ask "
                "its provider",
                "等待：临近窗口结束时，若有空闲节点会启动服务；或联系提供方"
            };
        case BatchWait::no_idle_capacity:
            return {
                "no endpoint has room beside its interactive calls and other lines",
                "各接入点在交互调用与其他行之外没有空位",
                "wait until calls end; a longer window leaves more idle hours to it",
                "等待调用结束；更长的窗口有更多空闲时段"
            };
        case BatchWait::not_allowed:
            return {
                "the limits of its key, project or organisation exclude the endpoints that have "
                "room",
                "其密钥、项目或组织的限制排除了有空位的接入点",
                "add a provider or a site to the limits, or wait for those that are allowed",
                "在限制中增加提供方或站点，或等待允许的接入点"
            };
        case BatchWait::behind_shares:
            return {
                "there is room, and other projects have had less of it or are pressed by their "
                "deadlines",
                "有空位，但其他项目所得更少或受其截止时间所迫", "wait for its turn", "等待轮到它"
            };
        case BatchWait::rests:
            return {
                "it rests: a limit of its key was met, an engine failed, or the gateway that had a "
                "line could ask no engine for it",
                "暂停：触及其密钥的限制、引擎出错，或持有其行的网关无法请求引擎",
                "raise the rate of the key (penstock key update), or wait",
                "提高密钥的速率（penstock key update），或等待"
            };
        case BatchWait::gateways:
            return {
                "no gateway that takes lines has told what its endpoints carry",
                "尚无可接收行的网关报告其接入点的负载",
                "see whether gateways report: penstock gateway list",
                "查看网关是否上报：penstock gateway list"
            };
    }
    return {};
}

std::string word_of(const batches::Room& room, bool open) {
    constexpr std::array kWords{"none", "lines", "calls", "held", "engine_queue", "engine_cache"};
    return open ? kWords.at(static_cast<std::size_t>(room.because)) : "closed";
}

BatchPressure shown(scheduler::LinePressure pressure) {
    switch (pressure) {
        case scheduler::LinePressure::none:
            return BatchPressure::none;
        case scheduler::LinePressure::pressed:
            return BatchPressure::pressed;
        case scheduler::LinePressure::late:
            return BatchPressure::late;
    }
    return BatchPressure::none;
}

BatchWait cause_of(const BatchExplanation& explanation, bool heard, bool rests) {
    const std::vector<BatchPlace>& places = explanation.endpoints;
    const auto has_room = [](const BatchPlace& place) { return place.room > 0; };
    if (explanation.status == BatchStatus::validating) return BatchWait::input;
    if (explanation.lines_waiting == 0) return BatchWait::none;
    if (rests) return BatchWait::rests;
    if (places.empty()) return BatchWait::no_endpoint;
    if (!heard) return BatchWait::gateways;
    if (std::ranges::none_of(places, has_room)) return BatchWait::no_idle_capacity;
    const bool any_allowed = std::ranges::any_of(places, &BatchPlace::allowed);
    const bool allowed = std::ranges::any_of(places, [&](const BatchPlace& place) {
        return has_room(place) && place.allowed;
    });
    if (any_allowed && !allowed) return BatchWait::not_allowed;
    return explanation.lines_running > 0 ? BatchWait::none : BatchWait::behind_shares;
}

}  // namespace

// What the turn of its model says of it.
void BatchOwner::explain_turn(const StoredBatch& batch, BatchExplanation& explanation) const {
    const std::vector<scheduler::LineDemand> demands = this->demands(batch.model);
    const auto found = std::ranges::find(demands, batch.id, &scheduler::LineDemand::batch);
    if (found == demands.end()) return;
    const auto at = static_cast<std::size_t>(found - demands.begin());
    const Time now = platform_.now();
    explanation.places = pace_.places(batch.model);
    explanation.pressure = shown(scheduler::pressure_of(demands, explanation.places, now)[at]);
    std::set<scheduler::Tenant> asking;
    for (const scheduler::LineDemand& demand : demands)
        if (demand.waiting > 0) asking.insert(demand.tenant);
    explanation.projects_ahead = std::ssize(queue_.shares.ahead_of(found->tenant, asking));
    explanation.organisation_weight = queue_.shares.weight_of(batch.organisation_id);
    explanation.weight = queue_.shares.weight_of(found->tenant);
    explanation.expected_end =
        scheduler::expected_ends(demands, queue_.shares, explanation.places, now)[at];
}

BatchExplanation BatchOwner::explain(const StoredBatch& batch) const {
    BatchExplanation explanation{
        .batch = "batch/" + to_string(batch.id),
        .status = batch.status,
        .model = batch.model,
        .request_counts = batch.counts,
        .expires_at = batch.expires_at
    };
    const auto running = running_.find(batch.id);
    if (running == running_.end() || !batches::gives_lines(batch)) {
        explanation.wait = cause_of(explanation, true, false);
    } else {
        explanation.lines_running = std::ssize(running->second.book.claims());
        explanation.lines_waiting = running->second.book.waiting();
        const bool rests = running->second.not_before > platform_.now();
        if (rests) explanation.rests_until = running->second.not_before;
        for (const Place& place : places(batch.model)) {
            BatchPlace& shown = explanation.endpoints.emplace_back(
                place.endpoint->id, place.endpoint->provider, place.endpoint->site, place.room.lines
            );
            shown.allowed = is_allowed(batch, *place.endpoint);
            shown.lines =
                std::ranges::count_if(running->second.book.claims(), [&](const auto& claim) {
                    return claim.second.endpoint_id == shown.endpoint_id;
                });
            if (place.room.lines == 0) shown.no_room = word_of(place.room, place.open);
        }
        explain_turn(batch, explanation);
        if (const auto took = pace_.measured(batch.id, batch.model))
            explanation.seconds_per_line = to_seconds(*took);
        explanation.wait = cause_of(explanation, rooms_.all_heard_since(Time{}), rests);
    }
    const Text text = words_of(explanation.wait);
    explanation.message = text.message;
    explanation.message_zh = text.message_zh;
    explanation.remedy = text.remedy;
    explanation.remedy_zh = text.remedy_zh;
    return explanation;
}

}  // namespace penstock::server
