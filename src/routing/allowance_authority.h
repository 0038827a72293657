// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <boost/describe/class.hpp>
#include <cstdint>
#include <functional>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "base/time.h"
#include "model/allowance.h"

namespace penstock::routing {

// Of a lease. Gateways serve an hour without the server, whenever they were last told.
constexpr Duration kAllowanceTime = 75min;
// How long after its expiry calls may still be settled on a lease: the longest deadline of a call,
// and the time to report it.
constexpr Duration kAllowanceGrace = 1h + 5min;
// Clocks of server and gateways may differ by this much.
constexpr Duration kClockMargin = 5s;

// The smallest part that is granted: a micro-yuan, a request, a token, a call.
Units step_of(Measure measure);
bool is_money(Measure measure);
// Whether what was used is used for ever (in its period), not until the end of the minute or call.
bool is_consumed(Measure measure);
bool is_per_minute(Measure measure);

// A slice of an account in one gateway's hands.
struct AllowanceLease {
    LeaseId id;
    std::string replica;
    std::int64_t epoch = 0;
    Units granted;  // all three only rise
    Units returned;
    Units drawn;  // settled calls; only of what is_consumed
    Time expires_at;
    Units outstanding() const { return granted - returned - drawn; }
    bool operator==(const AllowanceLease&) const = default;
};
BOOST_DESCRIBE_STRUCT(
    AllowanceLease, (), (id, replica, epoch, granted, returned, drawn, expires_at)
)

// A share that was given back and may have been used in the minute that runs.
struct CoolingShare {
    Units share;
    Time until;
    bool operator==(const CoolingShare&) const = default;
};
BOOST_DESCRIBE_STRUCT(CoolingShare, (), (share, until))

// What is stored of an account; all but the limit and what was settled, which have their own
// owners.
struct AllowanceState {
    AllowanceAccount account;
    std::vector<AllowanceLease> leases;
    std::vector<CoolingShare> cooling;
    bool operator==(const AllowanceState&) const = default;
};
BOOST_DESCRIBE_STRUCT(AllowanceState, (), (account, leases, cooling))

struct ReplicaState {
    std::string replica;
    RunId run;
    std::int64_t epoch = 0;
    std::vector<RunId> earlier;  // the last kRunsKept of them: a late message is not a new process
    Time seen_at;
    bool operator==(const ReplicaState&) const = default;
};
BOOST_DESCRIBE_STRUCT(ReplicaState, (), (replica, run, epoch, earlier, seen_at))

// The one authority over what gateways may use of each account. Pure; one owner, the server, which
// stores every account and replica that a command touched before it answers.
//
// For each account, after every command:
//     free + Σ outstanding + Σ cooling + settled = limit
// where free is below zero only when the limit was lowered or a call was settled that no lease
// covered; nothing is granted then. So the calls of all gateways together never pass the limit by a
// unit: each uses its own part.
class AllowanceAuthority {
  public:
    static constexpr std::size_t kAccountsMax = 1'000'000;
    static constexpr std::size_t kLeasesPerAccountMax = 256;
    static constexpr std::size_t kRunsKept = 8;
    static constexpr Duration kShortFor = 30s;  // others are asked to give back for so long
    static constexpr Duration kReplicaLives =
        60s;  // after its last message, for the size of slices
    // Calls wait for so long for what others give back when they are told that it is wanted.
    static constexpr Duration kRecallFor = 2s;
    static constexpr Duration kRecallPause = 500ms;  // between one word to a gateway and the next
    static constexpr Duration kRecallAgain = 10s;    // of a gateway that has not answered the word

    // The process `run` of `replica` speaks. The first time, the leases of its earlier processes
    // are over: a gateway asks only after it has settled what they left. conflict: another process
    // of that name has begun since.
    Result<std::int64_t> greet(const std::string& replica, RunId run, Time now);
    // After greet(). `limit` absent: there is no such limit, and all that is wanted is granted.
    Result<Allowance> grant(
        const std::string& replica, const AllowanceAsk& ask, std::optional<Units> limit,
        Units settled, Time now
    );
    // Leases of the replica that others wait for: it is told to ask about them now. Until it does,
    // answers to those others say `recalled`.
    bool has_recalled(const std::string& replica) const { return recalled_.contains(replica); }
    std::vector<LeaseId> take_recalled(const std::string& replica);
    // A call that used `amount` of the lease was settled; its amount is in `settled` of the next
    // grant. False: the lease is over, the amount was never set aside for it.
    bool draw(LeaseId lease, Units amount);
    // Ends leases and cooling shares whose time is over, and forgets accounts without any. At most
    // kSweepMax accounts in one call.
    static constexpr std::size_t kSweepMax = 4096;
    void sweep(Time now);
    // No lease ends before `until`: after a pause of the server gateways report first.
    void keep_until(Time until);

    Units reserved(const AllowanceAccount& account) const;  // Σ outstanding + Σ cooling
    const AllowanceAccount* account_of(LeaseId lease) const;
    std::size_t replicas_live(Time now) const;
    const std::map<std::string, ReplicaState, std::less<>>& replicas() const { return replicas_; }
    // For people: visits leases in the order of their accounts, those of one subject (og_…, pj_…,
    // ky_…) or, where that is empty, all of them.
    using Visit = std::function<void(const AllowanceAccount&, const AllowanceLease&)>;
    void visit_leases(std::string_view subject, const Visit& visit) const;

    // What changed since the last call, for the store.
    struct Touched {
        std::vector<AllowanceState> accounts;  // without leases and cooling: forgotten
        std::vector<ReplicaState> replicas;
        std::vector<AllowanceAccount> wallets;  // whose reserved() may have changed
    };
    Touched take_touched();
    void restore(AllowanceState state);
    void restore(ReplicaState state);
    std::size_t accounts() const { return accounts_.size(); }

  private:
    // The word to the holder of a lease that others wait for what it does not use of it.
    struct Recall {
        LeaseId lease;
        Time begun;
        bool told = false;      // handed to the gateway
        bool answered = false;  // it has asked about the lease since
    };
    struct Account {
        std::vector<AllowanceLease> leases;
        std::vector<CoolingShare> cooling;
        Time short_until;
        std::string short_replica;
        std::vector<Recall> recalls;  // not stored: calls that wait ask again
    };
    using Accounts = std::map<AllowanceAccount, Account>;

    static Units reserved(const Account& account);
    AllowanceLease* find(LeaseId id);
    Result<AllowanceLease*> open(
        const AllowanceAsk& ask, const std::string& replica, std::int64_t epoch
    );
    static void take_back(
        Account& account, AllowanceLease& lease, const AllowanceAsk& ask, Time now
    );
    static void hear(Account& account, const AllowanceLease& lease, bool gave_back);
    static void forget_recall(Account& account, const AllowanceLease& lease);
    bool recall_for(Account& account, const AllowanceLease& lease, Time now);
    bool is_over(const AllowanceLease& lease, Time now) const;
    bool sweep_one(Account& account, Time now);
    void touch(const AllowanceAccount& account) { touched_[account] = true; }

    Accounts accounts_;
    std::map<LeaseId, AllowanceAccount> by_lease_;
    std::map<std::string, ReplicaState, std::less<>> replicas_;
    std::map<std::string, std::set<LeaseId>, std::less<>> recalled_;  // by replica, not yet told
    std::map<AllowanceAccount, bool> touched_;
    std::map<std::string, bool, std::less<>> touched_replicas_;
    AllowanceAccount swept_to_;
    Time kept_until_;
};

}  // namespace penstock::routing
