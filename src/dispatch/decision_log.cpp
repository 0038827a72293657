// SPDX-License-Identifier: Apache-2.0
#include "dispatch/decision_log.h"

#include <fmt/format.h>
#include <openssl/sha.h>

#include <algorithm>
#include <charconv>
#include <set>

#include "base/check.h"
#include "json/json.h"

namespace penstock::dispatch {
namespace {

constexpr std::size_t kMib = 1UL << 20;

// So that ids sort as numbers do.
std::string padded(std::uint64_t position) { return fmt::format("{:020}", position); }

Result<std::uint64_t> read_position(std::string_view text) {
    std::uint64_t position = 0;
    const char* end = text.data() + text.size();
    const auto [stop, error] = std::from_chars(text.data(), end, position);
    if (error != std::errc{} || stop != end)
        return fail(
            ErrorCode::internal, "the store holds an input at position '" + std::string(text) + "'"
        );
    return position;
}

// A checkpoint in parts that a row each can hold: nodes and holds in turn, the rest with the first.
std::vector<DecisionState> split(DecisionState state) {
    std::vector<DecisionState> parts;
    const auto move_some = [](auto& from, std::size_t at, std::size_t count, auto& to) {
        const std::size_t end = std::min(from.size(), at + count);
        for (std::size_t i = at; i < end; ++i) to.push_back(std::move(from[i]));
    };
    std::vector<Node> nodes = std::move(state.nodes);
    std::vector<HeldCapacity> holds = std::move(state.holds);
    std::vector<SiteOutlook> outlooks =
        std::move(state.outlooks).value_or(std::vector<SiteOutlook>());
    state.nodes.clear();
    state.holds.clear();
    state.outlooks.reset();
    parts.push_back(std::move(state));
    for (std::size_t at = 0; at < std::max(nodes.size(), holds.size()); at += kNodesPerPart) {
        if (at > 0) parts.push_back({.position = parts.front().position});
        move_some(nodes, at, kNodesPerPart, parts.back().nodes);
        move_some(holds, at, kNodesPerPart, parts.back().holds);
    }
    for (std::size_t at = 0; at < outlooks.size(); at += kOutlooksPerPart) {
        parts.push_back({.position = parts.front().position, .outlooks = {{}}});
        move_some(outlooks, at, kOutlooksPerPart, *parts.back().outlooks);
    }
    return parts;
}

Result<DecisionState> join(const std::vector<std::string>& parts) {
    DecisionState whole;
    for (std::size_t i = 0; i < parts.size(); ++i) {
        DecisionState part = TRY(json::parse<DecisionState>(parts[i]));
        if (i == 0) {
            whole = std::move(part);
            continue;
        }
        std::ranges::move(part.nodes, std::back_inserter(whole.nodes));
        std::ranges::move(part.holds, std::back_inserter(whole.holds));
        if (!part.outlooks) continue;
        if (!whole.outlooks) whole.outlooks.emplace();
        std::ranges::move(*part.outlooks, std::back_inserter(*whole.outlooks));
    }
    return whole;
}

std::string blockers_of(const DecisionAnswer& answer) {
    std::set<std::pair<SiteId, FilterReason>> all;
    for (const Candidate& candidate : answer.plan.candidates)
        all.emplace(candidate.site_id, candidate.filter);
    std::string text;
    for (const auto& [site, reason] : all)
        text += to_string(site) + fmt::format("={} ", static_cast<int>(reason));
    if (const auto& later = answer.plan.later)
        text += later->place + "@" + to_rfc3339(later->start_at);
    return text;
}

void apply(Engine& engine, const DecisionInput& input) {
    if (input.site) engine.site_put(*input.site);
    if (input.node) engine.node_put(*input.node);
    if (input.outlook) engine.outlook_put(*input.outlook);
    if (input.hold)
        engine.held(
            input.hold->attempt_id, {input.hold->node_id, input.hold->request, input.hold->devices}
        );
    if (input.release) engine.released(*input.release);
    if (input.restarts) engine.restarts_put(*input.restarts);
}

}  // namespace

Result<void> check(const DecisionsKept& kept) {
    if (kept.decisions < 1 || kept.decisions > kDecisionsKeptMax)
        return fail_field(
            ErrorCode::invalid_argument, "decisions_kept",
            fmt::format("must be 1 to {}, not {}", kDecisionsKeptMax, kept.decisions)
        );
    if (kept.bytes < kMib || kept.bytes > kDecisionMibKeptMax * kMib)
        return fail_field(
            ErrorCode::invalid_argument, "decision_log_bytes",
            fmt::format("must be 1 to {} MiB, not {} bytes", kDecisionMibKeptMax, kept.bytes)
        );
    return {};
}

DecisionLog::DecisionLog(Engine& engine, DecisionsKept kept) : engine_(engine), kept_(kept) {
    CHECK(check(kept_).has_value(), "limits of the decision log are checked where they are read");
}

TaskSpec without_what_is_not_read(TaskSpec spec) {
    spec.setup.reset();
    spec.run.reset();
    spec.envs.clear();
    return spec;
}

std::string digest_of(const DecisionAnswer& answer) {
    const std::string text = json::print(answer);
    std::array<unsigned char, SHA256_DIGEST_LENGTH> hash{};
    SHA256(reinterpret_cast<const unsigned char*>(text.data()), text.size(), hash.data());
    std::string hexadecimal;
    for (const unsigned char byte : hash) hexadecimal += fmt::format("{:02x}", byte);
    return hexadecimal;
}

// ---- inputs

void DecisionLog::site_put(const Site& site) {
    engine_.site_put(site);
    if (recording_) note({.site = site});
}

void DecisionLog::outlook_put(const SiteOutlook& outlook) {
    engine_.outlook_put(outlook);
    if (recording_) note({.outlook = outlook});
}

void DecisionLog::node_put(const Node& node) {
    engine_.node_put(node);
    if (recording_) note({.node = bare(node)});
}

void DecisionLog::held(AttemptId attempt, const fleet::CapacityHold& hold) {
    engine_.held(attempt, hold);
    if (!recording_) return;
    // With the devices that the host chose where none were named.
    const fleet::CapacityHold& kept = engine_.find(hold.node_id)->hold_of(attempt);
    note({.hold = HeldCapacity{attempt, kept.node_id, kept.request, kept.devices}});
}

void DecisionLog::released(AttemptId attempt) {
    engine_.released(attempt);
    if (recording_) note({.release = attempt});
}

void DecisionLog::restarts_put(const RestartHistory& history) {
    engine_.restarts_put(history);
    if (recording_) note({.restarts = history});
}

void DecisionLog::note(const DecisionInput& input) {
    inputs_[engine_.position()] = json::print(input);
    // Nothing was decided for long: what came meanwhile will be in a checkpoint.
    if (engine_.position() - stored_ <= inputs_per_checkpoint()) return;
    inputs_.erase(inputs_.upper_bound(stored_), inputs_.end());
    recording_ = false;
}

std::size_t DecisionLog::inputs_per_checkpoint() const {
    return std::max(kInputsPerCheckpoint, 2 * engine_.nodes());
}

// ---- decisions

DecisionLog::Rows DecisionLog::add(
    Decision decision, DecisionQuestion question, DecisionAnswer answer
) {
    Rows rows;
    const std::uint64_t position = engine_.position();
    const bool due = !recording_ || checkpoints_.empty() ||
                     position - checkpoints_.rbegin()->first >= inputs_per_checkpoint();
    if (due) {
        checkpoint(rows);
    } else {
        for (auto input = inputs_.upper_bound(stored_); input != inputs_.end(); ++input)
            rows.put.push_back({kDecisionInputKind, padded(input->first), input->second});
    }
    stored_ = position;
    decision.position = static_cast<std::int64_t>(position);
    decision.answer_sha256 = digest_of(answer);
    if (decision.outcome != DecisionOutcome::preempt) blockers_.erase(decision.task_id);
    if (blockers_.size() >= kWaitingRememberedMax) blockers_.clear();
    if (decision.outcome == DecisionOutcome::wait)
        blockers_[decision.task_id] = blockers_of(answer);
    std::string body = json::print(KeptDecision{decision, std::move(question), std::move(answer)});
    rows.put.push_back({kDecisionKind, to_string(decision.id), body});
    bytes_ += body.size();
    bodies_[decision.id] = std::move(body);
    decisions_.push_back(std::move(decision));
    forget();
    while (!to_forget_.empty() && rows.removed.size() < kRowsForgottenMax) {
        rows.removed.push_back(std::move(to_forget_.front()));
        to_forget_.pop_front();
    }
    return rows;
}

void DecisionLog::checkpoint(Rows& rows) {
    const std::uint64_t position = engine_.position();
    Parts& parts = checkpoints_[position];
    for (const DecisionState& part : split(engine_.state())) {
        rows.put.push_back(
            {kDecisionStateKind, fmt::format("{}/{:05}", padded(position), parts.size()),
             json::print(part)}
        );
        parts.push_back(rows.put.back().body);
    }
    inputs_.erase(inputs_.upper_bound(stored_), inputs_.end());
    recording_ = true;
}

void DecisionLog::forget() {
    while (decisions_.size() > 1 && (decisions_.size() > kept_.decisions || bytes_ > kept_.bytes)) {
        const DecisionId oldest = decisions_.front().id;
        const auto body = bodies_.find(oldest);
        bytes_ -= body->second.size();
        bodies_.erase(body);
        decisions_.pop_front();
        to_forget_.push_back({kDecisionKind, to_string(oldest), ""});
    }
    if (decisions_.empty()) return;
    // The newest checkpoint that the oldest decision needs; what lies before it nobody does.
    auto needed = checkpoints_.upper_bound(static_cast<std::uint64_t>(decisions_.front().position));
    if (needed == checkpoints_.begin()) return;
    --needed;
    for (auto old = checkpoints_.begin(); old != needed; old = checkpoints_.erase(old))
        for (std::size_t part = 0; part < old->second.size(); ++part)
            to_forget_.push_back(
                {kDecisionStateKind, fmt::format("{}/{:05}", padded(old->first), part), ""}
            );
    const auto first_needed = inputs_.upper_bound(needed->first);
    for (auto old = inputs_.begin(); old != first_needed; old = inputs_.erase(old))
        to_forget_.push_back({kDecisionInputKind, padded(old->first), ""});
}

bool DecisionLog::differs(TaskId task, const DecisionAnswer& answer) const {
    const auto known = blockers_.find(task);
    return known == blockers_.end() || known->second != blockers_of(answer);
}

const Decision* DecisionLog::find(DecisionId id) const {
    const auto found = std::ranges::lower_bound(decisions_, id, {}, &Decision::id);
    return found == decisions_.end() || found->id != id ? nullptr : &*found;
}

std::optional<DecisionId> DecisionLog::newest_of(TaskId task) const {
    for (auto decision = decisions_.rbegin(); decision != decisions_.rend(); ++decision)
        if (decision->task_id == task && decision->outcome != DecisionOutcome::preempt)
            return decision->id;
    return std::nullopt;
}

Error DecisionLog::not_kept(DecisionId id) const {
    return {
        ErrorCode::not_found,
        fmt::format(
            "no decision '{}' is kept: the platform keeps the newest {}, {} MiB of them at most; "
            "its operator can raise that for later ones (penstock server --decisions-kept, "
            "--decision-log-mib)",
            to_string(id), kept_.decisions, kept_.bytes / kMib
        ),
        "id"
    };
}

Result<DecisionRecord> DecisionLog::record(DecisionId id) const {
    const auto body = bodies_.find(id);
    if (body == bodies_.end()) return std::unexpected(not_kept(id));
    KeptDecision kept = TRY(json::parse<KeptDecision>(body->second));
    DecisionState state = TRY(state_at(static_cast<std::uint64_t>(kept.decision.position)));
    return DecisionRecord{
        std::move(kept.decision), std::move(state), std::move(kept.question), std::move(kept.answer)
    };
}

Result<DecisionState> DecisionLog::state_at(std::uint64_t position) const {
    auto checkpoint = checkpoints_.upper_bound(position);
    if (checkpoint == checkpoints_.begin())
        return fail(ErrorCode::internal, "no checkpoint lies before the decision");
    --checkpoint;
    DecisionState state = TRY(join(checkpoint->second));
    if (checkpoint->first == position) return state;
    Engine engine(state);
    auto input = inputs_.upper_bound(checkpoint->first);
    for (; input != inputs_.end() && input->first <= position; ++input)
        apply(engine, TRY(json::parse<DecisionInput>(input->second)));
    if (engine.position() != position)
        return fail(ErrorCode::internal, "inputs are missing before the decision");
    return engine.state();
}

// ---- from the store

bool DecisionLog::keeps(std::string_view kind) {
    return kind == kDecisionKind || kind == kDecisionInputKind || kind == kDecisionStateKind;
}

Result<void> DecisionLog::restore(std::string_view kind, std::string_view id, std::string body) {
    if (kind == kDecisionKind) {
        KeptDecision kept = TRY(json::parse<KeptDecision>(body));
        bytes_ += body.size();
        bodies_[kept.decision.id] = std::move(body);
        decisions_.push_back(std::move(kept.decision));
        return {};
    }
    const std::uint64_t position = TRY(read_position(id.substr(0, id.find('/'))));
    if (kind == kDecisionInputKind) {
        inputs_[position] = std::move(body);
        return {};
    }
    const std::uint64_t part = TRY(read_position(id.substr(id.find('/') + 1)));
    Parts& parts = checkpoints_[position];
    if (parts.size() <= part) parts.resize(part + 1);
    parts[part] = std::move(body);
    return {};
}

void DecisionLog::ready() {
    std::ranges::sort(decisions_, {}, &Decision::id);
    if (!inputs_.empty()) engine_.go_on_after(inputs_.rbegin()->first);
    if (!checkpoints_.empty()) engine_.go_on_after(checkpoints_.rbegin()->first);
    stored_ = engine_.position();
    recording_ = false;
    forget();
}

}  // namespace penstock::dispatch
