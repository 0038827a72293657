// SPDX-License-Identifier: Apache-2.0
// Transfers per second of the ledger alone and with its store; see README.md.
#include <fmt/format.h>
#include <unistd.h>

#include <CLI/CLI.hpp>
#include <algorithm>
#include <array>
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <ctime>
#include <deque>
#include <filesystem>
#include <fstream>
#include <optional>
#include <utility>

#include "base/guarded.h"
#include "ledger/ledger.h"
#include "storage/group_committer.h"

namespace penstock {
namespace {

using Steady = std::chrono::steady_clock;

constexpr std::uint64_t kAccounts = 10'000;
constexpr std::size_t kBatch = 1'000;

struct Settings {
    std::string url, folder = ".";
    std::uint64_t transfers = 200'000;
};

[[noreturn]] void give_up(const Error& error) {
    fmt::print(stderr, "ledger_bench: {}\n", to_string(error));
    std::exit(1);
}
template <class T>
T must(Result<T> result) {
    if (!result) give_up(result.error());
    if constexpr (!std::is_void_v<T>) return *std::move(result);
}

void print_row(
    std::string_view what, std::string_view subject, double value, std::string_view unit,
    std::optional<double> goal
) {
    fmt::print(
        "{{\"what\": \"{}\", \"subject\": \"{}\", \"value\": {:.1f}, \"unit\": \"{}\", \"ratio\": "
        "{}}}\n",
        what, subject, value, unit, goal ? fmt::format("{:.2f}", value / *goal) : "null"
    );
    std::fflush(stdout);
}

// Process CPU time: what a busy machine does not blur.
double cpu_seconds() {
    timespec now{};
    ::clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &now);
    return static_cast<double>(now.tv_sec) + static_cast<double>(now.tv_nsec) * 1e-9;
}

double seconds_since(Steady::time_point start) {
    return std::chrono::duration<double>(Steady::now() - start).count();
}

ledger::AccountId account(std::uint64_t n) { return ledger::AccountId(RawId{1, n + 1}); }

// Transfers between funded accounts; all with account 1 where `hot`.
class Workload {
  public:
    explicit Workload(bool hot) : hot_(hot) {}

    storage::Batch open_accounts() {
        storage::Batch batch;
        for (std::uint64_t n = 0; n < kAccounts; ++n)
            batch.add(must(ledger.open_account(
                               {.id = account(n),
                                .owner = fmt::format("o{}", n),
                                .debits_not_over_credits = n > 0}
                           ))
                          .rows);
        for (std::uint64_t n = 1; n < kAccounts; ++n)
            batch.add(submit(
                {.id = next_id(),
                 .debit = account(0),
                 .credit = account(n),
                 .amount = Money::micro(1'000'000'000)}
            ));
        return batch;
    }

    ledger::Rows next() {
        const std::uint64_t from = hot_ ? 1 : 1 + random_.below(kAccounts - 1);
        const std::uint64_t to = 1 + (from + random_.below(kAccounts - 2)) % (kAccounts - 1);
        return submit(
            {.id = next_id(),
             .debit = account(from),
             .credit = account(to),
             .amount = Money::micro(1 + static_cast<std::int64_t>(random_.below(100))),
             .ref_type = "task",
             .ref_id = fmt::format("tk_{:026}", id_ / 3)}
        );
    }

    ledger::Ledger ledger;

  private:
    ledger::TransferId next_id() { return ids_.next<ledger::TransferId>(Time(Duration(++id_))); }
    ledger::Rows submit(const ledger::TransferRequest& request) {
        ledger::ChainResult done = ledger.submit(request, Time(Duration(id_)));
        must(done.result());
        return std::move(done.rows);
    }

    bool hot_;
    std::int64_t id_ = 0;
    SeededRandom random_{42};
    IdSource ids_{random_};
};

// A store for one run: a new SQLite file, or the PostgreSQL database that was named.
class Place {
  public:
    explicit Place(const Settings& settings) {
        if (!settings.url.empty()) {
            url_ = settings.url;
            return;
        }
        path_ = std::filesystem::absolute(settings.folder) /
                fmt::format("ledger_bench_{}.db", ::getpid());
        remove();
        url_ = "sqlite://" + path_.string();
    }
    ~Place() { remove(); }
    Place(const Place&) = delete;
    Place& operator=(const Place&) = delete;

    const std::string& url() const { return url_; }
    std::string engine() const { return path_.empty() ? "postgresql" : "sqlite"; }
    std::uintmax_t bytes() const { return path_.empty() ? 0 : std::filesystem::file_size(path_); }

  private:
    void remove() const {
        if (path_.empty()) return;
        for (const char* suffix : {"", "-wal", "-shm", ".lock"})
            std::filesystem::remove(path_.string() + suffix);
    }
    std::string url_;
    std::filesystem::path path_;
};

// Keeps only what a ledger is restored from.
class LedgerRows final : public storage::Visitor {
  public:
    ledger::Rows rows;
    Result<void> entity(storage::PutEntity) override { return {}; }
    Result<void> account(ledger::Account row) override { return keep(rows.accounts, row); }
    Result<void> transfer(ledger::Transfer row) override { return keep(rows.transfers, row); }
    Result<void> hold(ledger::Hold row) override { return keep(rows.holds, row); }
    Result<void> accumulator(ledger::AccumulatorRow) override { return {}; }
    Result<void> burnt(ledger::BurntId row) override { return keep(rows.burnt, row); }
    Result<void> idempotency(storage::PutIdempotency) override { return {}; }
    Result<void> usage(storage::AppendUsage) override { return {}; }
    Result<void> event(storage::AppendEvent) override { return {}; }

  private:
    template <class Row>
    static Result<void> keep(std::vector<Row>& to, Row& row) {
        to.push_back(std::move(row));
        return {};
    }
};

void measure_restore(const Place& place, const Workload& work) {
    const auto start = Steady::now();
    const auto store = must(storage::open(place.url()));
    LedgerRows loaded;
    must(store->load(loaded));
    const double loading = seconds_since(start);
    const ledger::Ledger again = must(ledger::Ledger::restore(std::move(loaded.rows)));
    const double all = seconds_since(start);
    if (again.render() != work.ledger.render())
        give_up({ErrorCode::internal, "the store restores to another ledger", {}});
    const auto count = static_cast<double>(work.ledger.last_seq());
    print_row("load", place.engine(), count / loading, "transfers/s", {});
    print_row("load and restore", place.engine(), count / all, "transfers/s", {});
}

void measure_memory(const Settings& settings) {
    Workload work(false);
    work.open_accounts();
    const std::uint64_t count = settings.transfers * 2;
    const auto start = Steady::now();
    const double cpu = cpu_seconds();
    for (std::uint64_t i = 0; i < count; ++i) work.next();
    print_row(
        "CPU per transfer, in memory", "engine",
        (cpu_seconds() - cpu) * 1e6 / static_cast<double>(count), "us", 1
    );
    print_row(
        "in memory, one by one", "engine", static_cast<double>(count) / seconds_since(start),
        "transfers/s", 1'000'000
    );
    must(work.ledger.verify());
}

void measure_batches(const Settings& settings, bool hot, double goal) {
    const Place place(settings);
    Workload work(hot);
    {
        const auto store = must(storage::open(place.url()));
        must(store->commit(work.open_accounts()));
        const std::uintmax_t bytes_before = place.bytes();
        const auto start = Steady::now();
        const double cpu = cpu_seconds();
        for (std::uint64_t done = 0; done < settings.transfers; done += kBatch) {
            storage::Batch batch;
            for (std::size_t i = 0; i < kBatch; ++i) batch.add(work.next());
            must(store->commit(batch));
        }
        const double rate = static_cast<double>(settings.transfers) / seconds_since(start);
        const double cpu_us = (cpu_seconds() - cpu) * 1e6 / static_cast<double>(settings.transfers);
        print_row("CPU per transfer, batches of 1000", place.engine(), cpu_us, "us", {});
        print_row(
            hot ? "durable, batches of 1000, one hot account" : "durable, batches of 1000",
            place.engine(), rate, "transfers/s", goal
        );
        if (bytes_before > 0 && !hot)
            print_row(
                "space per transfer", place.engine(),
                static_cast<double>(place.bytes() - bytes_before) /
                    static_cast<double>(settings.transfers),
                "bytes", 200
            );
    }
    must(work.ledger.verify());
    if (settings.url.empty()) measure_restore(place, work);
}

// `callers` requests are always under way; each caller sends its next when its last is durable.
class Callers {
  public:
    Callers(Workload& work, storage::GroupCommitter& committer)
        : work_(work), committer_(committer) {}

    void run(std::size_t callers, std::uint64_t transfers) {
        for (std::size_t i = 0; i < callers; ++i) send();
        for (std::uint64_t answered = 0; answered < transfers;) {
            for (const Steady::time_point sent : take()) {
                latencies_ms_.push_back(
                    std::chrono::duration<double, std::milli>(Steady::now() - sent).count()
                );
                if (++answered + callers <= transfers) send();
            }
        }
    }
    double percentile(double share) {
        std::ranges::sort(latencies_ms_);
        return latencies_ms_[static_cast<std::size_t>(
            share * static_cast<double>(latencies_ms_.size() - 1)
        )];
    }

  private:
    void send() {
        storage::Batch batch;
        batch.add(work_.next());
        committer_.submit(std::move(batch), [this, sent = Steady::now()](Result<void> done) {
            must(std::move(done));
            Lock lock(mutex_);
            answered_.push_back(sent);
            arrived_.notify_one();
        });
    }
    std::deque<Steady::time_point> take() {
        Lock lock(mutex_);
        while (answered_.empty()) arrived_.wait(mutex_);
        return std::exchange(answered_, {});
    }

    Workload& work_;
    storage::GroupCommitter& committer_;
    Mutex mutex_;
    ConditionVariable arrived_;
    std::deque<Steady::time_point> answered_ GUARDED_BY(mutex_);
    std::vector<double> latencies_ms_;
};

struct CallerGoal {
    std::size_t callers;
    std::optional<double> rate, p99_ms;
};

void measure_callers(const Settings& settings, const CallerGoal& goal) {
    const Place place(settings);
    Workload work(false);
    const auto store = must(storage::open(place.url()));
    must(store->commit(work.open_accounts()));
    const std::uint64_t transfers =
        std::min<std::uint64_t>(settings.transfers / 4, goal.callers * 1'000);
    const auto start = Steady::now();
    std::optional<storage::GroupCommitter> committer(*store);
    Callers callers(work, *committer);
    callers.run(goal.callers, transfers);
    const double rate = static_cast<double>(transfers) / seconds_since(start);
    committer.reset();
    const std::string what = fmt::format("durable, {} callers", goal.callers);
    print_row(what, place.engine(), rate, "transfers/s", goal.rate);
    print_row(what + ", p50", place.engine(), callers.percentile(0.5), "ms", {});
    print_row(what + ", p99", place.engine(), callers.percentile(0.99), "ms", goal.p99_ms);
    must(work.ledger.verify());
}

int run(int argc, char** argv) {
    Settings settings;
    std::string only = "all";
    CLI::App app{"Measures the ledger and its store"};
    app.add_option("--url", settings.url, "an empty store; default: a new SQLite file");
    app.add_option("--folder", settings.folder, "where the SQLite file goes")
        ->check(CLI::ExistingDirectory);
    app.add_option("--transfers", settings.transfers, "per run, a multiple of 1000")
        ->check(CLI::Range(4'000, 10'000'000));
    app.add_option(
        "--only", only, "memory, batches, hot, 1, 64, 512 or all (PostgreSQL: one at a time)"
    );
    CLI11_PARSE(app, argc, argv);
    const auto wanted = [&](std::string_view name) { return only == "all" || only == name; };
    const bool sqlite = settings.url.empty();
    if (!sqlite && only == "all")
        give_up(
            {ErrorCode::invalid_argument,
             "each run needs an empty database: name one with --only",
             {}}
        );
    if (wanted("memory")) measure_memory(settings);
    if (wanted("batches")) measure_batches(settings, false, sqlite ? 40'000 : 15'000);
    if (wanted("hot")) measure_batches(settings, true, sqlite ? 40'000 : 15'000);
    if (wanted("1")) measure_callers(settings, {1, {}, {}});
    if (wanted("64")) measure_callers(settings, {64, 5'000.0, 25.0});
    if (wanted("512")) measure_callers(settings, {512, 20'000.0, {}});
    return 0;
}

}  // namespace
}  // namespace penstock

int main(int argc, char** argv) { return penstock::run(argc, argv); }
