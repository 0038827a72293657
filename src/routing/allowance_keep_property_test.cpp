// SPDX-License-Identifier: Apache-2.0
#include <gtest/gtest.h>
#include <rapidcheck.h>

#include <algorithm>
#include <map>

#include "routing/allowance_authority.h"
#include "routing/call_limits.h"
#include "routing/use_book.h"

// Gateways whose server comes and goes, and which are killed, go on with what they kept, and are
// taken over from meanwhile; against a model that only adds up.
namespace penstock::routing {
namespace {

const Time kStart = Time(1'764'547'140s - 1h);  // 2025-11-30T22:59:00Z: a day ends in 61 minutes
constexpr int kGateways = 2;

template <class T>
T pick(T from, T below) {
    return *rc::gen::resize(rc::kNominalSize, rc::gen::inRange<T>(from, below));
}

// A call that has ended, as the spool has it.
struct Record {
    LeaseId wallet;
    std::vector<LeaseId> drawn;
    Units charge;
    Time began;
};

struct Running {
    Hold hold;
    Time began;
    Money amount;
    Record record;  // but for the charge
};

// One of the two processes that a gateway may have.
struct Process {
    LeaseHolder self;
    std::unique_ptr<AllowancePool> pool;
    std::vector<Running> running;
    std::vector<Record> spool;  // not settled
    std::optional<std::vector<KeptLease>> snapshot;
    std::size_t snapshot_mark = 0;  // into the spool
    bool alive = false;
    bool foreign = false;  // has parts of the other process's leases
};

// What is left by the snapshot and the spool.
std::vector<KeptLease> left_by(const Process& process) {
    std::vector<KeptLease> left = *process.snapshot;
    for (std::size_t i = process.snapshot_mark; i < process.spool.size(); ++i) {
        const Record& record = process.spool[i];
        for (KeptLease& kept : left)
            if (kept.lease_id == record.wallet ||
                std::ranges::find(record.drawn, kept.lease_id) != record.drawn.end())
                kept.used += record.charge;
    }
    return left;
}

class World {
  public:
    World() {
        key.organisation_id = OrganisationId(RawId{1, 1});
        key.project_id = ProjectId(RawId{2, 2});
        key.key_id = KeyId(RawId{3, 3});
        key.key_limits.emplace();
        key.key_limits->budget = budget;
        key.key_limits->budget_period = BudgetPeriod::daily;
        for (int i = 0; i < 2 * kGateways; ++i) {
            processes[i].self.replica =
                "g" + std::to_string(i / 2) + (i % 2 == 0 ? "" : std::string("~2"));
            if (i % 2 == 0) start(processes[i]);
        }
    }
    Process& twin(int index) { return processes.at(index ^ 1); }

    void start(Process& process) {
        process.self.run = RunId(RawId{7, ++runs});
        process.pool = std::make_unique<AllowancePool>(fill, ids);
        process.alive = true;
        process.foreign = false;
    }

    // What the shell does before anything that the snapshot says becomes false.
    static void let_go(Process& process) { process.snapshot.reset(); }

    void report_all(Process& process) {
        if (!process.spool.empty()) let_go(process);
        for (const Record& record : process.spool) {
            authority.draw(record.wallet, record.charge);
            for (const LeaseId& lease : record.drawn) authority.draw(lease, record.charge);
            for (const std::string& subject :
                 {to_string(key.organisation_id), to_string(key.key_id)})
                book.add(subject, "", {record.charge, 1, 0}, record.began);
            wallet_spent += record.charge;
        }
        process.spool.clear();
    }

    void exchange(Process& process, bool answer_is_lost) {
        if (away) {
            process.pool->unanswered(process.pool->asks(now, 100, AllowancePool::Idle::keep));
            return;
        }
        if (!greeted.contains(process.self.run)) report_all(process);
        RC_ASSERT(authority.greet(process.self.replica, process.self.run, now).has_value());
        greeted[process.self.run] = true;
        let_go(process);
        process.pool->drop_foreign();
        const auto asks = process.pool->asks(now, 100);
        std::vector<Allowance> answers;
        for (const AllowanceAsk& ask : asks) {
            const bool is_wallet = ask.account.measure == Measure::wallet;
            const Units limit = Units::of(is_wallet ? wallet : budget);
            const Units settled = is_wallet ? wallet_spent : book.used(ask.account);
            const auto answer = authority.grant(process.self.replica, ask, limit, settled, now);
            RC_ASSERT(answer.has_value());
            // What is free, granted, and settled is the limit.
            RC_ASSERT(authority.reserved(ask.account) + settled <= limit);
            answers.push_back(*answer);
        }
        if (answer_is_lost) return process.pool->unanswered(asks);
        for (std::size_t i = 0; i < asks.size(); ++i) process.pool->grant(asks[i], answers[i], now);
    }

    void call(Process& process, Money amount) {
        std::vector<Demand> demands;
        RC_ASSERT(demands_of(key, {"m", amount, 0, now}, *process.pool, demands));
        auto hold = process.pool->hold(demands, now, now + 1h);
        if (!hold) {
            RC_ASSERT(process.pool->wait_for(demands, now));
            exchange(process, false);
            exchange(process, false);
            hold = process.pool->hold(demands, now, now + 1h);
            process.pool->stop_waiting(demands);
        }
        if (!hold) return;
        served_away += away ? 1 : 0;
        Running call{*std::move(hold), now, amount, {}};
        call.record = {call.hold.wallet_lease(), call.hold.drawn(), Units(), now};
        process.running.push_back(std::move(call));
    }

    void end(Process& process, std::size_t index, int sevenths) {
        Running call = std::move(process.running[index]);
        process.running.erase(process.running.begin() + static_cast<std::ptrdiff_t>(index));
        const ExactMoney charge(Units::of(call.amount).exact_money().femto() * sevenths / 7);
        call.record.charge = Units::of(charge);
        process.spool.push_back(call.record);
        call.hold.settle({charge, 0});
        spent[period_start(BudgetPeriod::daily, call.began)] += call.record.charge;
        spent_in_all += call.record.charge;
    }

    void keep(Process& process) {
        if (!away) return;
        process.snapshot = process.pool->kept(process.self);
        process.snapshot_mark = process.spool.size();
    }

    // kill -9; a process of the same name follows.
    void crash(Process& process) {
        process.running.clear();
        std::optional<std::vector<KeptLease>> left;
        if (process.snapshot) left = left_by(process);
        const RunId before = process.self.run;
        const bool foreign = process.foreign;
        start(process);
        if (!away || !left) return report_when_present(process);
        process.self.run = before;
        process.foreign = foreign;
        for (const KeptLease& kept : *left)
            process.pool->adopt(kept, kept.holder == process.self, now);
    }
    void report_when_present(Process& process) {
        if (away) return;
        report_all(process);
        let_go(process);
    }

    // While the server is away: half of what is free goes to the newer process.
    void take_over(int index) {
        Process& older = processes.at(index);
        Process& newer = twin(index);
        if (!away || !older.snapshot || newer.alive || !newer.spool.empty()) return;
        start(newer);
        const std::vector<KeptLease> ceded = older.pool->cede(older.self, now);
        keep(older);
        for (const KeptLease& kept : ceded) newer.pool->adopt(kept, false, now);
        newer.foreign = true;
        keep(newer);
    }
    // The older one ends, in whatever way; the newer one has the rest.
    void retire(int index) {
        Process& older = processes.at(index);
        Process& newer = twin(index);
        if (!newer.foreign || !older.alive) return;
        older.running.clear();
        older.alive = false;
        if (!away || !older.snapshot) return let_go(older);
        const std::vector<KeptLease> left = left_by(older);
        let_go(older);
        for (const KeptLease& kept : left) newer.pool->adopt(kept, false, now);
        keep(newer);
    }
    // What the older one had is ended when nobody uses it any more.
    void end_leases(int index) {
        Process& older = processes.at(index);
        Process& newer = twin(index);
        if (away || !newer.foreign || older.alive) return;
        newer.pool->drop_foreign();
        if (newer.pool->has_foreign()) return;
        let_go(newer);  // it names what ends now
        report_all(newer);
        report_all(older);
        newer.foreign = false;
        RC_ASSERT(authority.greet(older.self.replica, RunId(RawId{7, ++runs}), now).has_value());
    }

    void check() {
        std::map<Time, Units> by_day = spent;
        Units in_all = spent_in_all;
        for (const auto& [index, process] : processes)
            for (const Running& call : process.running) {
                by_day[period_start(BudgetPeriod::daily, call.began)] += Units::of(call.amount);
                in_all += Units::of(call.amount);
            }
        for (const auto& [day, sum] : by_day) RC_ASSERT(sum <= Units::of(budget));
        RC_ASSERT(in_all <= Units::of(wallet));
    }

    Money fill = Money::micro(pick<std::int64_t>(1, 3000));
    Money wallet = Money::micro(pick<std::int64_t>(0, 80'000));
    Money budget = Money::micro(pick<std::int64_t>(0, 40'000));
    ResolvedKey key;
    Time now = kStart;
    SeededRandom random{7};
    IdSource ids{random};
    AllowanceAuthority authority;
    UseBook book;
    std::map<int, Process> processes;
    std::map<RunId, bool> greeted;
    std::map<Time, Units> spent;
    Units spent_in_all;
    Units wallet_spent;
    bool away = false;
    int served_away = 0;
    std::uint64_t runs = 0;
};

// Whatever comes and goes in whatever order: in neither of two periods, and of no wallet, a unit is
// spent twice.
TEST(AllowanceKeepProperty, NothingIsSpentTwiceWhileTheServerIsAway) {
    EXPECT_TRUE(rc::check([] {
        World world;
        const int steps = pick<int>(1, 200);
        for (int step = 0; step < steps; ++step) {
            const int index = pick<int>(0, 2 * kGateways);
            Process& process = world.processes.at(index);
            const int what = pick<int>(0, 20);
            if (what == 12) world.now += Duration(1s) * pick<int>(0, 600);
            if (what == 13) world.away = !world.away;
            if (what == 14) world.take_over(index & ~1);
            if (what == 15) world.retire(index & ~1);
            if (what == 16) world.end_leases(index & ~1);
            if (process.alive) {
                if (what < 6) world.call(process, Money::micro(pick<std::int64_t>(0, 4000)));
                if (what >= 6 && what < 9 && !process.running.empty())
                    world.end(
                        process, pick<std::size_t>(0, process.running.size()), pick<int>(0, 8)
                    );
                if (what == 9) world.exchange(process, pick<int>(0, 3) == 0);
                if (what == 10) world.keep(process);
                if (what == 11) process.pool->sweep(world.now);
                // Nobody follows an older process: its place is taken.
                if (what == 17 && index % 2 == 0 && world.twin(index).foreign)
                    world.retire(index);
                else if (what == 17 && pick<int>(0, 2) == 0)
                    world.crash(process);
                if (what >= 18 && !world.away && world.greeted.contains(process.self.run))
                    world.report_all(process);
            }
            world.authority.sweep(world.now);
            world.check();
        }
        RC_CLASSIFY(world.served_away > 3, "more than three calls served while it was away");
    }));
}

// A gateway in use has a part of the next day before it begins, and serves on over midnight
// without the server.
TEST(AllowanceKeepProperty, TheEndOfAPeriodComesWhileTheServerIsAway) {
    EXPECT_TRUE(rc::check([] {
        World world;
        world.wallet = Money::micro(1'000'000);
        world.budget = Money::micro(80'000);
        world.key.key_limits->budget = world.budget;
        Process& process = world.processes.at(0);
        const auto serve = [&] {
            world.call(process, Money::micro(1));  // the least fill
            if (process.running.empty()) return false;
            world.end(process, 0, 7);
            return true;
        };

        RC_ASSERT(serve());
        world.now += 1s;
        process.pool->sweep(world.now);
        world.exchange(process, false);
        world.away = true;
        world.now += 62min;

        RC_ASSERT(serve());
        RC_ASSERT(world.spent.size() == 2U);
        world.away = false;
        world.report_all(process);
        for (const auto& [day, sum] : world.spent) RC_ASSERT(to_string(sum) == "0.000001");
    }));
}

// A process that follows one that was killed has what that one had left, to the unit.
TEST(AllowanceKeepProperty, WhatIsLeftIsLeftToTheUnit) {
    EXPECT_TRUE(rc::check([] {
        World world;
        Process& process = world.processes.at(0);
        world.call(process, Money::micro(pick<std::int64_t>(0, 400)));
        world.away = true;
        world.keep(process);
        while (!process.running.empty()) world.end(process, 0, pick<int>(0, 8));
        for (int i = 0; i < 3; ++i) world.call(process, Money::micro(pick<std::int64_t>(0, 400)));
        while (!process.running.empty()) world.end(process, 0, pick<int>(0, 8));
        const auto rests = [&] {
            std::map<LeaseId, Units> rests;
            for (const KeptLease& kept : process.pool->kept(process.self))
                rests[kept.lease_id] = kept.rest();
            return rests;
        };
        const std::map<LeaseId, Units> before = rests();
        world.crash(process);
        RC_ASSERT(rests() == before);
        std::map<LeaseId, Units> both;
        world.take_over(0);
        for (const KeptLease& kept : process.pool->kept(process.self))
            both[kept.lease_id] += kept.rest();
        if (world.processes.at(1).alive)
            for (const KeptLease& kept : world.processes.at(1).pool->kept({}))
                both[kept.lease_id] += kept.rest();
        RC_ASSERT(both == before);
        RC_CLASSIFY(!before.empty(), "with leases");
    }));
}

// When all is over and settled, nothing stays reserved.
TEST(AllowanceKeepProperty, NothingLeaksFromAnOutage) {
    EXPECT_TRUE(rc::check([] {
        World world;
        Process& older = world.processes.at(0);
        Process& newer = world.processes.at(1);
        for (int i = 0; i < 5; ++i) world.call(older, Money::micro(pick<std::int64_t>(1, 400)));
        world.away = true;
        world.keep(older);
        while (!older.running.empty()) world.end(older, 0, pick<int>(0, 8));
        if (pick<int>(0, 2) == 0) world.crash(older);
        world.take_over(0);
        for (int i = 0; i < 5; ++i) world.call(newer, Money::micro(pick<std::int64_t>(1, 400)));
        world.retire(0);
        for (int i = 0; i < 5; ++i) world.call(newer, Money::micro(pick<std::int64_t>(1, 400)));
        if (pick<int>(0, 2) == 0) world.crash(newer);
        while (!newer.running.empty()) world.end(newer, 0, pick<int>(0, 8));
        world.check();
        world.away = false;
        world.exchange(newer, false);
        world.end_leases(0);
        RC_ASSERT(!newer.foreign);
        for (int round = 0; round < 4; ++round) {
            world.report_all(newer);
            newer.pool->close(world.now);
            world.exchange(newer, false);
        }
        AllowanceAccount wallet;
        wallet.subject = to_string(world.key.organisation_id);
        RC_ASSERT(world.authority.reserved(wallet) == Units());
        RC_ASSERT(world.wallet_spent == world.spent_in_all);
    }));
}

}  // namespace
}  // namespace penstock::routing
