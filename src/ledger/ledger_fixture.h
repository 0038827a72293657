// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <gtest/gtest.h>

#include <map>
#include <string>
#include <vector>

#include "ledger/ledger.h"

namespace penstock::ledger {

// Ledger tests as a table language. Names stand for ids; amounts are whole micro-yuan.
//     LedgerFixture f("buyer 100, seller");       // buyer is limited and funded from the bank
//     f.apply("hold buyer seller 80 h1 -> ok");   // hold DEBIT CREDIT AMOUNT ID [until TIME] [ref
//     TYPE:ID] f.apply("post h1 50 p1 -> ok");             // post HOLD AMOUNT|all ID;   void HOLD
//     ID f.apply("move buyer seller 5 t1 + move seller buyer 9 t2 -> ok/ok"); f.at("30s");
//     f.expire() == "h2"
class LedgerFixture {
  public:
    explicit LedgerFixture(const std::string& accounts);
    void apply(const std::string& line);
    ChainResult submit(const std::string& chain);
    TransferRequest request(const std::string& text);
    void at(const std::string& after_start);
    std::string expire();  // the names of the holds that expired
    // "buyer available=20 held=80, seller available=0 held=0"
    std::string balances() const;

    AccountId account(const std::string& name) const { return AccountId(raw(name)); }
    TransferId id(const std::string& name) const { return TransferId(raw(name)); }
    std::string name_of(TransferId id) const { return names_.at(id.raw()); }
    Transfer transfer(const std::string& name) const;
    Ledger& ledger() { return ledger_; }
    Time now() const { return now_; }
    // Everything that was handed out as rows so far, newest state of each.
    Rows stored() const;
    void collect(const Rows& rows);

  private:
    RawId raw(const std::string& name) const;
    AccountSpec spec(const std::string& name) const;

    Ledger ledger_;
    Time start_ = Time(Duration(1'800'000'000'000'000));
    Time now_ = start_;
    std::vector<std::string> shown_;
    mutable std::map<RawId, std::string> names_;
    std::map<AccountId, Account> accounts_;
    std::map<TransferId, Hold> holds_;
    std::vector<Transfer> transfers_;
    std::vector<BurntId> burnt_;
};

}  // namespace penstock::ledger
