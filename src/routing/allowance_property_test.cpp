// SPDX-License-Identifier: Apache-2.0
#include <gtest/gtest.h>
#include <rapidcheck.h>

#include <algorithm>
#include <array>
#include <deque>

#include "routing/allowance_authority.h"
#include "routing/call_limits.h"
#include "routing/use_book.h"

// Several gateways, one server and the messages between them, against a model that only counts.
namespace penstock::routing {
namespace {

const Time kStart = Time(1'764'547'140s);  // 2025-11-30T23:59:00Z: a day and a month end soon
constexpr int kReplicas = 3;

// Of the whole range, however small the case is.
template <class T>
T pick(T from, T below) {
    return *rc::gen::resize(rc::kNominalSize, rc::gen::inRange<T>(from, below));
}

ResolvedKey key_with(Limits organisation, Limits project, Limits own) {
    ResolvedKey key;
    key.organisation_id = OrganisationId(RawId{1, 1});
    key.project_id = ProjectId(RawId{2, 2});
    key.key_id = KeyId(RawId{3, 3});
    key.organisation_limits = std::move(organisation);
    key.project_limits = std::move(project);
    key.key_limits = std::move(own);
    return key;
}

// A settled call that the server has not heard of.
struct Record {
    std::string replica;
    LeaseId wallet;
    std::vector<LeaseId> drawn;
    ExactMoney charge;
    std::int64_t tokens = 0;
    Time began;
};

struct Running {
    Hold hold;
    std::vector<Demand> demands;
    Time began;
    Money amount;
    std::int64_t tokens = 0;
    std::vector<std::int64_t> minutes;  // that it counts in, by demand
};

struct Gateway {
    std::string name;
    std::uint64_t run = 0;
    Duration skew{};
    std::int64_t latest = 0;  // minute that its clock has shown
    std::unique_ptr<AllowancePool> pool;
    std::vector<Running> running;
    std::deque<std::pair<AllowanceAsk, Allowance>> answers;  // under way
};

// What was used or is held of one limit in one period: the naive model.
using Counter = std::pair<std::string, std::int64_t>;

class World {
  public:
    World() {
        for (int i = 0; i < kReplicas; ++i) {
            Gateway gateway;
            gateway.name = "g" + std::to_string(i);
            start(gateway);
            gateways.push_back(std::move(gateway));
        }
    }
    void start(Gateway& gateway) {
        gateway.run = ++runs_;
        gateway.pool = std::make_unique<AllowancePool>(fill, ids);
        RC_ASSERT(authority.greet(gateway.name, RunId(RawId{7, gateway.run}), now).has_value());
    }
    Time clock(const Gateway& gateway) const { return now + gateway.skew; }

    void look_at_clock(Gateway& gateway) {
        gateway.latest = std::max(gateway.latest, minute_of(clock(gateway)));
    }

    void call(Gateway& gateway, Money amount, std::int64_t tokens) {
        const Time at = clock(gateway);
        look_at_clock(gateway);
        Running call;
        RC_ASSERT(demands_of(key, {"m", amount, tokens, at}, *gateway.pool, call.demands));
        if (std::ranges::any_of(call.demands, [](const Demand& d) {
                return d.account.measure != Measure::wallet && d.units > d.limit;
            }))
            return;
        std::expected<Hold, Lack> hold = gateway.pool->hold(call.demands, at, at + 1h);
        if (!hold) {
            RC_ASSERT(gateway.pool->wait_for(call.demands, at));
            exchange(gateway, pick<int>(0, 5));
            hold = gateway.pool->hold(call.demands, at, at + 1h);
            gateway.pool->stop_waiting(call.demands);
        }
        if (!hold) return;
        // A clock that has run back counts in the minute that it had reached.
        for (const Demand& demand : call.demands) {
            call.minutes.push_back(gateway.pool->view(demand.account, at)->minute);
            if (!is_per_minute(demand.account.measure)) continue;
            RC_ASSERT(call.minutes.back() >= minute_of(at));
            RC_ASSERT(call.minutes.back() <= gateway.latest);
        }
        call.hold = *std::move(hold);
        call.began = at;
        call.amount = amount;
        call.tokens = tokens;
        gateway.running.push_back(std::move(call));
        ++held_calls;
    }

    // Asks what is due. fate 0: the request is lost; 1: the answer is; 2: it comes late; 3, 4: now.
    void exchange(Gateway& gateway, int fate) {
        look_at_clock(gateway);
        const std::vector<AllowanceAsk> asks = gateway.pool->asks(clock(gateway), 100);
        if (fate == 0) return gateway.pool->unanswered(asks);
        RC_ASSERT(authority.greet(gateway.name, RunId(RawId{7, gateway.run}), now).has_value());
        std::vector<std::pair<AllowanceAsk, Allowance>> answers;
        for (const AllowanceAsk& ask : asks) {
            const Result<Allowance> answer = authority.grant(
                gateway.name, ask, limit_of(ask.account), settled_of(ask.account), now
            );
            RC_ASSERT(answer.has_value());
            answers.emplace_back(ask, *answer);
        }
        if (fate == 1) return gateway.pool->unanswered(asks);
        if (fate == 2) {
            gateway.pool->unanswered(asks);
            gateway.answers.insert(gateway.answers.end(), answers.begin(), answers.end());
            return;
        }
        for (const auto& [ask, answer] : answers) gateway.pool->grant(ask, answer, clock(gateway));
    }

    void end(Gateway& gateway, std::size_t index, int sevenths) {
        Running call = std::move(gateway.running[index]);
        gateway.running.erase(gateway.running.begin() + static_cast<std::ptrdiff_t>(index));
        if (sevenths < 0) return call.hold.release();
        const ExactMoney charge(Units::of(call.amount).exact_money().femto() * sevenths / 7);
        const std::int64_t tokens = call.tokens * sevenths / 7;
        Record record{gateway.name, call.hold.wallet_lease(), call.hold.drawn(), charge, tokens,
                      call.began};
        call.hold.settle({charge, tokens});
        count(call.demands, call.minutes, charge, tokens);
        records.push_back(std::move(record));
    }

    void report_one() {
        const Record record = records.front();
        records.pop_front();
        std::vector<LeaseId> leases = record.drawn;
        leases.push_back(record.wallet);
        for (const LeaseId& lease : leases) {
            const AllowanceAccount* account = authority.account_of(lease);
            if (account == nullptr) continue;
            const Measure measure = account->measure;
            authority.draw(
                lease, is_money(measure)                  ? Units::of(record.charge)
                       : measure == Measure::requests_day ? Units::whole(1)
                                                          : Units::whole(record.tokens)
            );
        }
        const Tally tally{Units::of(record.charge), 1, record.tokens};
        for (const std::string& subject : subjects()) {
            book.add(subject, "", tally, record.began);
            book.add(subject, "m", tally, record.began);
        }
        wallet_spent += Units::of(record.charge);
    }

    // Its calls die, its log is read, a new process begins.
    void crash(Gateway& gateway) {
        gateway.running.clear();
        gateway.answers.clear();
        while (!records.empty()) report_one();
        start(gateway);
    }

    void check() {
        std::map<Counter, Units> sums = used;
        std::map<std::string, Units> at_once;
        for (const Gateway& gateway : gateways)
            for (const Running& call : gateway.running)
                for (std::size_t i = 0; i < call.demands.size(); ++i) {
                    const Demand& demand = call.demands[i];
                    if (demand.account.measure == Measure::concurrency)
                        at_once[name(demand)] += Units::whole(1);
                    else
                        sums[{name(demand), period_of(demand, call.minutes[i])}] += demand.units;
                }
        for (const auto& [counter, sum] : sums) RC_ASSERT(sum <= allowed(counter.first));
        for (const auto& [limit, sum] : at_once) RC_ASSERT(sum <= allowed(limit));
    }

    std::optional<Units> limit_of(const AllowanceAccount& account) {
        if (account.measure == Measure::wallet) return Units::of(wallet);
        return allowed(
            account.subject.substr(0, 2) + (account.model.empty() ? "" : "/m") + "/" +
            std::to_string(static_cast<int>(account.measure))
        );
    }
    Units settled_of(const AllowanceAccount& account) const {
        return account.measure == Measure::wallet ? wallet_spent : book.used(account);
    }
    std::vector<std::string> subjects() const {
        return {to_string(key.organisation_id), to_string(key.project_id), to_string(key.key_id)};
    }

    Money fill = Money::micro(pick<std::int64_t>(1, 3000));
    Money wallet = Money::micro(pick<std::int64_t>(0, 40'000));
    ResolvedKey key = key_with(any_limits(), any_limits(), any_limits());
    Time now = kStart;
    SeededRandom random{7};
    IdSource ids{random};
    AllowanceAuthority authority;
    UseBook book;
    std::vector<Gateway> gateways;
    std::deque<Record> records;
    std::map<Counter, Units> used;
    Units wallet_spent;
    int held_calls = 0;

  private:
    static std::int64_t minute_of(Time at) {
        return std::chrono::floor<std::chrono::minutes>(at).time_since_epoch().count();
    }
    static Quota any_quota() {
        const auto maybe = [](std::int64_t max) -> std::optional<std::int64_t> {
            if (pick<int>(0, 4) != 0) return std::nullopt;
            return pick<std::int64_t>(max / 4, max);
        };
        Quota quota;
        if (pick<int>(0, 3) == 1) {
            quota.budget = Money::micro(pick<std::int64_t>(0, 20'000));
            quota.budget_period = static_cast<BudgetPeriod>(pick<int>(0, 4));
        }
        quota.requests_per_minute = maybe(12);
        quota.requests_per_day = maybe(30);
        quota.tokens_per_minute = maybe(1000);
        quota.tokens_per_day = maybe(3000);
        quota.concurrency = maybe(6);
        return quota;
    }
    static Limits any_limits() {
        Limits limits;
        static_cast<Quota&>(limits) = any_quota();
        if (pick<int>(0, 3) == 1) limits.per_model["m"] = any_quota();
        return limits;
    }
    static std::string name(const Demand& demand) {
        static const std::array<std::string, 3> kPrefixes{"og", "pj", "ky"};
        return kPrefixes.at(static_cast<std::size_t>(demand.account.level)) +
               (demand.account.model == 0 ? "" : "/m") + "/" +
               std::to_string(static_cast<int>(demand.account.measure));
    }
    static std::int64_t period_of(const Demand& demand, std::int64_t minute) {
        const Measure measure = demand.account.measure;
        const bool per_minute =
            measure == Measure::requests_minute || measure == Measure::tokens_minute;
        return per_minute ? minute : demand.account.period_start_us;
    }
    void count(
        const std::vector<Demand>& demands, const std::vector<std::int64_t>& minutes,
        ExactMoney charge, std::int64_t tokens
    ) {
        for (std::size_t i = 0; i < demands.size(); ++i) {
            const Demand& demand = demands[i];
            const Measure measure = demand.account.measure;
            if (measure == Measure::concurrency) continue;
            const bool by_tokens =
                measure == Measure::tokens_minute || measure == Measure::tokens_day;
            used[{name(demand), period_of(demand, minutes[i])}] +=
                is_money(measure) ? Units::of(charge) : Units::whole(by_tokens ? tokens : 1);
            limits_[name(demand)] = demand.limit;
        }
    }
    // By the names of `name`: of the key's limits as they were made.
    Units allowed(const std::string& limit) {
        const Measure measure = static_cast<Measure>(limit.back() - '0');
        if (measure == Measure::wallet) return Units::of(wallet);
        const Limits& limits =
            *(limit.starts_with("og")   ? key.organisation_limits
              : limit.starts_with("pj") ? key.project_limits
                                        : key.key_limits);
        const Quota& quota = limit.find("/m/") == std::string::npos
                                 ? static_cast<const Quota&>(limits)
                                 : limits.per_model.at("m");
        switch (measure) {
            case Measure::wallet:
                return Units::of(wallet);
            case Measure::budget:
                return Units::of(*quota.budget);
            case Measure::requests_minute:
                return Units::whole(*quota.requests_per_minute);
            case Measure::tokens_minute:
                return Units::whole(*quota.tokens_per_minute);
            case Measure::requests_day:
                return Units::whole(*quota.requests_per_day);
            case Measure::tokens_day:
                return Units::whole(*quota.tokens_per_day);
            case Measure::concurrency:
                return Units::whole(*quota.concurrency);
        }
        return {};
    }
    std::uint64_t runs_ = 0;
    std::map<std::string, Units> limits_;
};

// Any order of calls, ends, lost, late and repeated messages, crashes, clocks that differ and step
// back, and ends of minutes, days and months: no limit of any level is passed by one unit.
TEST(AllowanceProperty, NoLimitIsPassedByAUnit) {
    EXPECT_TRUE(rc::check([] {
        World world;
        const int steps = pick<int>(1, 150);
        for (int step = 0; step < steps; ++step) {
            Gateway& gateway = world.gateways.at(pick<std::size_t>(0, kReplicas));
            const int what = pick<int>(0, 17);
            if (what < 6) {
                world.call(
                    gateway, Money::micro(pick<std::int64_t>(0, 4000)), pick<std::int64_t>(0, 400)
                );
            } else if (what < 9 && !gateway.running.empty()) {
                world.end(gateway, pick<std::size_t>(0, gateway.running.size()), pick<int>(-1, 8));
            } else if (what == 9) {
                world.exchange(gateway, pick<int>(0, 5));
            } else if (what == 10 && !gateway.answers.empty()) {
                const auto [ask, answer] = gateway.answers.front();
                gateway.pool->grant(ask, answer, world.clock(gateway));
                if (pick<int>(0, 2) == 0) gateway.answers.pop_front();
            } else if (what == 11 && !world.records.empty()) {
                world.report_one();
            } else if (what == 12) {
                world.now += Duration(1s) * pick<int>(0, 50);
            } else if (what == 13) {
                gateway.skew = Duration(1ms) * pick<int>(-4900, 4900);
            } else if (what == 16) {
                gateway.pool->recall(world.authority.take_recalled(gateway.name));
                world.exchange(gateway, pick<int>(0, 5));
            } else if (what == 14) {
                world.look_at_clock(gateway);
                gateway.pool->sweep(world.clock(gateway));
                world.authority.sweep(world.now);
            } else if (what == 15 && pick<int>(0, 4) == 0) {
                world.crash(gateway);
            }
            world.check();
        }
        RC_CLASSIFY(world.held_calls > 5, "more than five calls held");
    }));
}

// When all calls have ended, were reported, and the gateways have been idle for a while, nothing is
// held or reserved, and what the ledger's fold says is left can be used to the last unit.
TEST(AllowanceProperty, NothingLeaks) {
    EXPECT_TRUE(rc::check([] {
        World world;
        const int steps = pick<int>(1, 60);
        for (int step = 0; step < steps; ++step) {
            Gateway& gateway = world.gateways.at(pick<std::size_t>(0, kReplicas));
            if (pick<int>(0, 2) == 0)
                world.call(
                    gateway, Money::micro(pick<std::int64_t>(0, 4000)), pick<std::int64_t>(0, 400)
                );
            else if (!gateway.running.empty())
                world.end(gateway, 0, pick<int>(-1, 8));
        }
        for (Gateway& gateway : world.gateways)
            while (!gateway.running.empty()) world.end(gateway, 0, pick<int>(-1, 8));
        while (!world.records.empty()) world.report_one();
        for (int round = 0; round < 8; ++round) {
            world.now += round == 4 ? AllowancePool::kStandFor : 31s;
            for (Gateway& gateway : world.gateways) {
                gateway.pool->sweep(world.clock(gateway));
                world.exchange(gateway, 3);
                RC_ASSERT(gateway.pool->holds_open() == 0);
                RC_ASSERT(gateway.pool->held() == Money());
            }
            world.authority.sweep(world.now);
        }
        for (const Gateway& gateway : world.gateways) RC_ASSERT(gateway.pool->accounts() == 0);
        // Less than the smallest part that can be given back stays until its lease is over.
        AllowanceAccount wallet;
        wallet.subject = world.subjects().front();
        RC_ASSERT(world.authority.reserved(wallet) < Units::of(Money::micro(kReplicas)));
        world.now += kAllowanceTime + kAllowanceGrace + 1min;
        world.authority.sweep(world.now);
        RC_ASSERT(world.authority.accounts() == 0U);
    }));
}

}  // namespace
}  // namespace penstock::routing
