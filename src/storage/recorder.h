// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <vector>

#include "storage/store.h"

namespace penstock::storage {

// Keeps all that a store loads, for tests to look at.
class Recorder final : public Visitor {
  public:
    std::vector<PutEntity> entities;
    ledger::Rows ledger;
    std::vector<ledger::AccumulatorRow> accumulators;
    std::vector<PutIdempotency> answers;
    std::vector<AppendUsage> usages;
    std::vector<AppendEvent> events;

    Result<void> entity(PutEntity row) override { return keep(entities, row); }
    Result<void> account(ledger::Account row) override { return keep(ledger.accounts, row); }
    Result<void> transfer(ledger::Transfer row) override { return keep(ledger.transfers, row); }
    Result<void> hold(ledger::Hold row) override { return keep(ledger.holds, row); }
    Result<void> accumulator(ledger::AccumulatorRow row) override {
        return keep(accumulators, row);
    }
    Result<void> burnt(ledger::BurntId row) override { return keep(ledger.burnt, row); }
    Result<void> idempotency(PutIdempotency row) override { return keep(answers, row); }
    Result<void> usage(AppendUsage row) override { return keep(usages, row); }
    Result<void> event(AppendEvent row) override { return keep(events, row); }

  private:
    template <class Row>
    static Result<void> keep(std::vector<Row>& rows, Row& row) {
        rows.push_back(std::move(row));
        return {};
    }
};

}  // namespace penstock::storage
