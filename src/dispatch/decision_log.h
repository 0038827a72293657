// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <deque>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "dispatch/engine.h"

namespace penstock::dispatch {

// The newest decisions that are kept, and with them the inputs they were made from.
constexpr std::size_t kDecisionsKeptMax = 1000;
constexpr std::size_t kDecisionBytesKeptMax = 64UL << 20;
// A checkpoint is made after so many inputs, or twice as many as there are nodes where that is
// more.
constexpr std::size_t kInputsPerCheckpoint = 4096;
constexpr std::size_t kNodesPerPart = 200;     // of a checkpoint, which is stored in parts
constexpr std::size_t kOutlooksPerPart = 50;   // likewise
constexpr std::size_t kRowsForgottenMax = 64;  // with one decision: forgetting is spread

// Waiting tasks of which it is known what was said last; beyond, all are forgotten and said anew.
constexpr std::size_t kWaitingRememberedMax = 100'000;

// Kinds of the rows it is stored in.
constexpr std::string_view kDecisionKind = "decision";
constexpr std::string_view kDecisionInputKind = "decision_input";
constexpr std::string_view kDecisionStateKind = "decision_state";

// Remembers what decisions are made from, and each decision, so that one can be made again. Stands
// between the fleet and the engine: what the fleet tells goes to the engine, then into the log.
// Pure: rows to be stored are given to the caller, in the same change as the decision.
//
// State at a position = the newest checkpoint at or before it + the inputs after that. A process
// begins with a checkpoint, before its first decision: what happened before does not matter.
class DecisionLog final : public fleet::Listener {
  public:
    explicit DecisionLog(Engine& engine) : engine_(engine) {}

    // ---- inputs, from the fleet
    void site_put(const Site& site) override;
    void outlook_put(const SiteOutlook& outlook) override;
    void node_put(const Node& node) override;
    void held(AttemptId attempt, const fleet::CapacityHold& hold) override;
    void released(AttemptId attempt) override;

    struct Row {
        std::string_view kind;
        std::string id;
        std::string body;
    };
    struct Rows {
        std::vector<Row> put;
        std::vector<Row> removed;  // without bodies
    };
    // A decision that was just made: nothing has changed since. `decision.position` and its digest
    // are filled in here.
    Rows add(Decision decision, DecisionQuestion question, DecisionAnswer answer);

    // ---- what is kept
    // Oldest first.
    const std::deque<Decision>& decisions() const { return decisions_; }
    // Whether what stands in the way of a waiting task is another than its newest decision said:
    // the sites and their reasons, or the start that is planned. One that repeats is not worth a
    // record.
    bool differs(TaskId task, const DecisionAnswer& answer) const;
    const Decision* find(DecisionId id) const;
    // What became of the task itself; who was told to leave for it stands apart.
    std::optional<DecisionId> newest_of(TaskId task) const;
    // not_found when it is not kept (any more).
    Result<DecisionRecord> record(DecisionId id) const;

    // ---- from the store, in any order; then ready() once
    static bool keeps(std::string_view kind);
    Result<void> restore(std::string_view kind, std::string_view id, std::string body);
    // Inputs and decisions from here on come behind what was restored.
    void ready();

  private:
    using Parts = std::vector<std::string>;
    void note(const DecisionInput& input);
    std::size_t inputs_per_checkpoint() const;
    void checkpoint(Rows& rows);
    void forget();
    Result<DecisionState> state_at(std::uint64_t position) const;

    Engine& engine_;
    bool recording_ = false;                       // since the first checkpoint of this process
    std::map<std::uint64_t, std::string> inputs_;  // by the position they led to
    std::uint64_t stored_ = 0;                     // inputs up to here have been given out as rows
    std::map<std::uint64_t, Parts> checkpoints_;
    std::deque<Decision> decisions_;
    std::map<DecisionId, std::string> bodies_;  // KeptDecision
    std::size_t bytes_ = 0;
    std::deque<Row> to_forget_;
    std::map<TaskId, std::string> blockers_;  // of tasks that wait, as recorded
};

// What a decision does not read is left out of the question: scripts and environment.
TaskSpec without_what_is_not_read(TaskSpec spec);
std::string digest_of(const DecisionAnswer& answer);  // SHA-256 of its JSON, hexadecimal

}  // namespace penstock::dispatch
