// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <array>
#include <cstdint>
#include <expected>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "base/id.h"
#include "base/time.h"
#include "model/allowance.h"
#include "model/gateway_status.h"
#include "routing/kept_lease.h"

namespace penstock::routing {

enum class Level : std::uint8_t { organisation, project, key };
std::string_view name_of(Level level);

// AllowanceAccount as the hot path uses it: no text, one hash.
struct AccountKey {
    RawId subject;
    std::int64_t period_start_us = 0;
    std::uint32_t model = 0;  // number of the name in the pool; 0: all models together
    Level level = Level::organisation;
    Measure measure = Measure::wallet;
    BudgetPeriod period = BudgetPeriod::none;
    bool operator==(const AccountKey&) const = default;
};
struct AccountKeyHash {
    std::size_t operator()(const AccountKey& key) const noexcept;
};

// So much of one account for one call.
struct Demand {
    AccountKey account;
    Units units;
    Units limit;  // as the key's answer told it
};

// What a call turned out to use.
struct Actual {
    ExactMoney charge;
    std::int64_t tokens = 0;
};

class AllowancePool;

// The parts of accounts that one call may use. Owned by the call: it ends by one settle(), or is
// released when it is destroyed, whatever path leads there.
class Hold {
  public:
    Hold() = default;
    Hold(Hold&& other) noexcept;
    Hold& operator=(Hold&& other) noexcept;
    Hold(const Hold&) = delete;
    Hold& operator=(const Hold&) = delete;
    ~Hold();

    bool open() const { return pool_ != nullptr; }
    // Of the wallet: what the call may cost at most.
    Money amount() const { return amount_; }
    LeaseId wallet_lease() const { return wallet_lease_; }
    // Of the budgets and daily counts it counts against.
    std::vector<LeaseId> drawn() const;
    Time deadline() const { return deadline_; }
    // The call has ended: it counts no longer as one at a time. What it used is settled later.
    void stop_running();
    // A part of the call has been recorded while the hold stays open, and cost so much.
    void note_used(const Actual& actual);
    // The spool will not tell of this call.
    void leave_unrecorded();
    // At most what is held (CHECKed); the rest is free again.
    void settle(const Actual& actual);
    void release();

  private:
    friend class AllowancePool;
    AllowancePool* pool_ = nullptr;  // outlives its holds
    std::uint32_t index_ = 0;
    Money amount_;
    LeaseId wallet_lease_;
    Time deadline_;
};

// Why there is no hold: the first of the demands that does not fit.
struct Lack {
    std::size_t demand = 0;
    bool refused = false;  // the server has said a moment ago that there is no more
};

// One account as the pool sees it. For what is consumed, free = granted − returned − used − held;
// for shares of a minute `used` and `held` are those of the minute; concurrency has nothing used.
struct AccountView {
    Units granted, returned, used, held, free;
    Units limit, remaining;
    Time expires_at;
    bool recalled = false;    // others have been asked for more, which may come in a moment
    std::int64_t minute = 0;  // since 1970, that `used` and `held` are of
    bool operator==(const AccountView&) const = default;
};

// What this gateway may use without asking: parts of accounts, granted by the server's
// AllowanceAuthority. Pure; one owner. A call's worst case is held in all of its accounts or in
// none, and replaced by what it used; so what calls use never passes what was granted. Minutes are
// those of UTC; a clock that runs back stays in the minute that it had reached, unless it is more
// than kMinutesBackMax behind.
class AllowancePool {
  public:
    static constexpr std::size_t kAccountsMax = 500'000;
    static constexpr std::size_t kModelNamesMax = 10'000;
    static constexpr std::size_t kDemandsMax = 48;  // of one call: 3 levels, with and without model
    static constexpr std::int64_t kRefillDivisor =
        4;                                         // refill when less than ¼ of the fill is free
    static constexpr Duration kExpiryMargin = 5s;  // clocks of gateway and server differ
    // After its last use for so long, an account is given back but for its standing part: what
    // calls need without the server. Of what is consumed that is an hour at the pace of the last
    // hour, by what calls held at most, and so many times what they held at one time; of shares so
    // many times the most that was in use at one time.
    static constexpr Duration kKeepFor = 30s;
    static constexpr std::int64_t kStandingTimes = 4;
    static constexpr Duration kPaceFor = 1h;             // then only the multiple stands
    static constexpr Duration kPacePart = 15min;         // by which the hour is remembered
    static constexpr std::int64_t kPaceDivisor = 8;      // of what is left, for the pace,
    static constexpr std::int64_t kStandingDivisor = 3;  // and for the multiple; of a share: limit
    static constexpr Duration kStandFor = 24h;  // after its last use; then all is given back
    // With more accounts, nothing stands of those that were not used for kPaceFor; with so many
    // times more, of none.
    static constexpr std::size_t kStandingAccountsMax = 10'000;
    static constexpr std::size_t kPacedTimes = 5;
    // A period that ends within this time: parts of the next one are fetched already.
    static constexpr Duration kAheadFor = 75min - kExpiryMargin;
    static constexpr Duration kCheckIn = 10s;  // the server hears of every account in use
    // And of those that stand; it tells for AllowanceAuthority::kShortFor that others want a part.
    static constexpr Duration kStandingCheckIn = 20s;
    static constexpr Duration kManyCheckIn = 5min;  // with more than kStandingAccountsMax
    static constexpr std::int64_t kMinutesBackMax = 2;
    // So long after a minute has begun here, the one before may still run at another gateway.
    static constexpr Duration kMinuteMargin = 10s;
    static constexpr std::int64_t kFillDivisor = 8;   // no fill is more than this part of the limit
    static constexpr std::int64_t kFillMinutes = 60;  // of what calls spend, without the server

    // `fill`: of money, what is asked for beyond what calls need, at the least: an account of which
    // more is spent has enough for kFillMinutes. `ids` makes the leases' ids.
    AllowancePool(Money fill, IdSource& ids);
    AllowancePool(const AllowancePool&) = delete;
    AllowancePool& operator=(const AllowancePool&) = delete;

    // All demands, in their order, or none.
    std::expected<Hold, Lack> hold(std::span<const Demand> demands, Time now, Time deadline);
    // The number of a model's name; nullopt when there is no room for another name.
    std::optional<std::uint32_t> model_number(std::string_view name);

    // ---- asking the server
    // A call that found a lack waits for these: all that it would hold. False: no room for one more
    // account. Until stop_waiting(), their accounts are kept.
    bool wait_for(std::span<const Demand> demands, Time now);
    void stop_waiting(std::span<const Demand> demands);
    // Queues those of them that do not fit now.
    void queue_lacking(std::span<const Demand> demands, Time now);
    // How many answers about the account must have come for the last one to have known of a call
    // that waits from now on; and how many have come.
    std::uint64_t answers_needed(const AccountKey& key) const;
    std::uint64_t answers(const AccountKey& key) const;
    // What is to be asked now, at most `most` accounts: those that calls wait for first, then those
    // that run low, are to be given back, or were not heard of for kCheckIn. What a question gives
    // back is gone, whether it is answered or not: `keep` is for a server that may be away.
    enum class Idle : std::uint8_t { give_back, keep };
    std::vector<AllowanceAsk> asks(Time now, std::size_t most, Idle idle = Idle::give_back);
    bool wants_to_ask() const { return !queue_.empty(); }
    // The server's answer to one of the asks.
    void grant(const AllowanceAsk& ask, const Allowance& answer, Time now);
    // Others wait for what is not used of these leases: it is given back with the next asks.
    void recall(std::span<const LeaseId> leases);
    // The asks were not answered; they will be repeated.
    void unanswered(std::span<const AllowanceAsk> asks);
    // Puts what is due into the queue; forgets what is given back. At most kSweepMax accounts.
    static constexpr std::size_t kSweepMax = 4096;
    void sweep(Time now);
    // All that is free is given back, and nothing more is held: the process is about to end. What
    // an unanswered ask gave back is said again: nobody knows whether the server heard it.
    void close(Time now);
    // After close(): it does not end after all.
    void reopen() { closing_ = false; }

    // ---- without the server (allowance_keep.cpp)
    // All leases, as they are now. What open holds hold is not counted: what their calls use, their
    // records will tell; of calls that the spool does not tell of, all that is held counts as used.
    // `self` is the process that has them.
    std::vector<KeptLease> kept(const LeaseHolder& self) const;
    // Goes on with what is left of a lease that another process had. `own`: by the name of this
    // process, as its own lease; else as a foreign one, about which the server is never asked.
    // False: there is nothing to go on with, or the account has another lease here.
    bool adopt(const KeptLease& kept, bool own, Time now);
    // Half of what is free, for another process of this gateway; this one does not use it again.
    std::vector<KeptLease> cede(const LeaseHolder& self, Time now);
    // The server is back: nothing new is held of foreign leases.
    void drop_foreign();
    // No lease is used any more; the server has ended them.
    void forget_leases();
    // Such leases are in use, or calls that began on them still run.
    bool has_foreign() const;

    // Nothing is known about the account: nullopt.
    std::optional<AccountView> view(const AccountKey& key, Time now) const;
    // Of the leases of which a part is kept, at most `most`, those with holds first.
    std::vector<LeaseUse> lease_uses(Time now, std::size_t most, std::int64_t* left_out) const;
    std::size_t holds_open() const { return holds_open_; }
    std::size_t holds_overdue(Time now) const;  // past their deadlines: a defect
    Money held() const;                         // of wallets
    std::size_t accounts() const { return slots_by_key_.size(); }

  private:
    friend class Hold;
    // Those of an hour and the one that runs.
    static constexpr std::size_t kPaceParts = static_cast<std::size_t>(kPaceFor / kPacePart) + 1;
    struct Slot {
        AccountKey key;
        LeaseId lease;
        std::uint32_t lease_number = 0;  // counts the leases of this account
        std::uint32_t entries = 0;       // of open holds, of any lease
        Units granted, returned, used, held;
        Units ceded;                       // of the lease, in the hands of another process
        std::uint32_t foreign = 0;         // holders_[foreign − 1] has the lease at the server
        std::uint32_t foreign_number = 0;  // of the last lease that was foreign
        Units limit, remaining;
        Units waiting, smallest;
        Units most;    // held at one time (of a minute: with what it used), since it was idle
        Units spent;   // in spent_minute, of money
        Units spends;  // in kFillMinutes, as in the busiest minute; a quarter less for each since
        std::int64_t spent_minute = 0;
        // By parts of the last hour: all that calls held, or of shares the most at one time.
        std::array<Units, kPaceParts> recent;
        std::int64_t recent_part = 0;  // the last of them, counted since 1970
        Time busy_since;               // its first use without a pause of kPaceFor since
        Units call;                    // that the last call held
        Units stock;                   // to be there without the server, as last reckoned
        std::uint32_t calls_waiting = 0;
        std::int64_t minute = 0;  // of used and held, where they are of one
        Units before;             // used and held in the minute before
        Time expires_at;
        Time used_at;
        Time asked_at;
        Time short_until;  // until then nobody is asked again for as much
        Units short_of;
        std::uint64_t answers = 0;
        bool queued = false;
        bool asked = false;   // under way
        bool unsure = false;  // an answer was lost: the server may have granted more
        bool wanted_back = false;
        bool lent = false;      // given back for others since its last use
        bool recalled = false;  // others were asked for more when it was last answered
    };
    struct Entry {
        std::uint32_t slot = 0;
        std::uint32_t lease_number = 0;
        std::int64_t minute = 0;
        Units units;
    };
    struct HoldRow {
        std::vector<Entry> entries;  // keeps its memory for the next hold
        Time deadline;
        Money money;
        std::optional<Actual> noted;
        bool unrecorded = false;
        bool open = false;
    };

    static constexpr std::uint32_t kNoSlot = UINT32_MAX;
    std::uint32_t find(const AccountKey& key) const;
    std::uint32_t find_or_make(const Demand& demand, Time now);
    void begin_lease(std::uint32_t index);
    void apply(
        HoldRow& row, std::span<const Demand> demands, std::span<const std::uint32_t> slots,
        Time now
    );
    void end(Hold& hold, const Actual* actual);
    void end_entry(const Entry& entry, const Actual* actual);
    void enqueue(std::uint32_t index);
    AllowanceAsk ask_of(Slot& slot, Time now, Idle idle) const;
    void take_answer(Slot& slot, const AllowanceAsk& ask, const Allowance& answer, Time now) const;
    Units return_of(const Slot& slot, Time now) const;
    Units spare_of(const Slot& slot, Time now) const;
    bool stands(const Slot& slot, Time now) const;
    bool lacks_stock(const Slot& slot, Time now) const;
    Units standing_of(const Slot& slot, Time now) const;
    static std::optional<Units> used_in_minute(const Slot& slot, Time now);
    static void use(Slot& slot, Time now);
    static void roll_pace(Slot& slot, Time now);
    static void note_call(Slot& slot, Units load, Units call);
    static Units pace_of(const Slot& slot, Time now);
    void reckon_stock(Slot& slot, Time now) const;
    Duration check_in_of(const Slot& slot, Time now) const;
    Units fill_of(const Slot& slot) const;
    Units fill_of_consumed(const Slot& slot) const;
    static void note_spending(Slot& slot, Time now);
    bool runs_low(const Slot& slot, Time now) const;
    bool is_idle(const Slot& slot, Time now) const;
    bool is_done(const Slot& slot, Time now) const;
    void forget(std::uint32_t index);
    AllowanceAccount account_of(const AccountKey& key) const;
    static Units free_now(const Slot& slot, Time now);
    static Units used_of(Measure measure, const Actual& actual);
    void add_unrecorded(std::vector<Units>& by_slot) const;
    std::uint32_t number_of(const LeaseHolder& holder);
    void look_ahead(std::uint32_t index, bool checks_in, Time now);

    Money fill_;
    IdSource& ids_;
    std::vector<Slot> slots_;
    std::vector<std::uint32_t> free_slots_;
    std::unordered_map<AccountKey, std::uint32_t, AccountKeyHash> slots_by_key_;
    std::unordered_map<LeaseId, std::uint32_t> slots_by_lease_;
    std::vector<HoldRow> holds_;
    std::vector<std::uint32_t> free_holds_;
    std::size_t holds_open_ = 0;
    std::vector<std::uint32_t> queue_;
    std::size_t swept_to_ = 0;
    bool closing_ = false;
    std::vector<LeaseHolder> holders_;  // of foreign leases: one or two
    struct TextHash {
        using is_transparent = void;
        std::size_t operator()(std::string_view text) const noexcept {
            return std::hash<std::string_view>{}(text);
        }
    };
    std::unordered_map<std::string, std::uint32_t, TextHash, std::equal_to<>> model_numbers_;
    std::vector<std::string> model_names_;
};

}  // namespace penstock::routing
