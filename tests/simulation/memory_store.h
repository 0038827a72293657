// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <map>
#include <memory>
#include <set>
#include <string>
#include <vector>

#include "storage/store.h"

namespace penstock::simulation {

// The disk of a simulated server: what was committed, whole batches only. It outlives the servers
// that open it. After pull_plug() nothing more arrives, as on a machine that lost its power.
class Disk {
  public:
    void apply(const storage::Batch& batch);
    Result<void> load(storage::Visitor& visitor, storage::LoadScope scope) const;
    const std::map<std::int64_t, storage::AppendEvent>& events() const { return events_; }
    const std::map<std::string, storage::AppendUsage>& usage() const { return usage_; }
    bool has_usage(const std::string& id) const { return usage_.contains(id); }
    bool has_entity(const std::string& kind, const std::string& id) const {
        return entities_.contains({kind, id});
    }

  private:
    void put(const storage::Write& write);
    std::map<std::pair<std::string, std::string>, storage::PutEntity> entities_;
    std::map<ledger::AccountId, ledger::Account> accounts_;
    std::vector<ledger::Transfer> transfers_;
    std::map<ledger::TransferId, ledger::Hold> holds_;
    std::map<std::pair<std::string, std::string>, ledger::AccumulatorRow> accumulators_;
    std::vector<ledger::BurntId> burnt_;
    std::map<std::string, storage::AppendUsage> usage_;
    std::map<std::int64_t, storage::AppendEvent> events_;
};

class MemoryStore final : public storage::Store {
  public:
    explicit MemoryStore(Disk& disk) : disk_(disk) {}
    // The commits from now on are lost.
    void pull_plug() { unplugged_ = true; }

    Result<void> load(storage::Visitor& visitor, storage::LoadScope scope) override;
    Result<void> commit(const storage::Batch& batch) override;
    Result<storage::Page<storage::AppendEvent>> events(const storage::EventFilter& filter) override;
    Result<std::int64_t> count_events(const storage::EventFilter& filter) override;
    Result<std::int64_t> last_event_seq() override;
    Result<storage::Page<storage::AppendUsage>> usage(const storage::UsageFilter& filter) override;
    Result<std::int64_t> count_usage(const storage::UsageFilter& filter) override;
    Result<std::set<std::string>> known_usage(const std::vector<std::string>& ids) override;
    std::string describe() const override { return "memory"; }

  private:
    Disk& disk_;
    bool unplugged_ = false;
};

}  // namespace penstock::simulation
