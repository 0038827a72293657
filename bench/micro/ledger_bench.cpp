// SPDX-License-Identifier: Apache-2.0
// Transfers per second of the ledger alone and with its store; see README.md.
#include <fmt/format.h>
#include <unistd.h>

#include <CLI/CLI.hpp>
#include <algorithm>
#include <chrono>
#include <cstdio>
#include <ctime>
#include <deque>
#include <filesystem>
#include <map>
#include <optional>
#include <utility>

#include "base/guarded.h"
#include "ledger_workload.h"
#include "storage/group_committer.h"

namespace penstock::bench {
namespace {

using Steady = std::chrono::steady_clock;

constexpr std::size_t kBatch = 1'000;

struct Settings {
    std::string what = {}, url = {}, folder = ".", pattern = "spread";
    std::uint64_t transfers = 200'000;
    std::size_t callers = 64;
    double seconds = 5;
};

void print_row(std::string_view what, double value, std::string_view unit) {
    fmt::print("{{\"what\": \"{}\", \"value\": {:.4f}, \"unit\": \"{}\"}}\n", what, value, unit);
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

// From its making: wall time and CPU time of so many transfers.
class Clock {
  public:
    void print(std::uint64_t transfers) const {
        const auto count = static_cast<double>(transfers);
        const double wall = seconds_since(start_), cpu = cpu_seconds() - cpu_;
        print_row("transfers", count, "1");
        print_row("rate", count / wall, "transfers/s");
        print_row("CPU per transfer", cpu * 1e6 / count, "µs");
    }

  private:
    Steady::time_point start_ = Steady::now();
    double cpu_ = cpu_seconds();
};

// A store for one run: a new SQLite file, or the empty PostgreSQL database that was named.
class Place {
  public:
    explicit Place(const Settings& settings) : url_(settings.url) {
        if (!url_.empty()) return;
        path_ = std::filesystem::absolute(settings.folder) /
                fmt::format("ledger_bench_{}.db", ::getpid());
        remove();
        url_ = "sqlite://" + path_.string();
    }
    ~Place() { remove(); }
    Place(const Place&) = delete;
    Place& operator=(const Place&) = delete;

    const std::string& url() const { return url_; }
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

// The ledger proves itself, and what the store holds restores to the same ledger, byte for byte.
void verify(const Place& place, const Workload& work) {
    must(work.ledger().verify());
    const auto start = Steady::now();
    LedgerRows loaded;
    must(must(storage::open(place.url()))->load(loaded));
    const ledger::Ledger again = must(ledger::Ledger::restore(std::move(loaded.rows)));
    const double seconds = seconds_since(start);
    if (again.render() != work.ledger().render())
        give_up({ErrorCode::internal, "the store restores to another ledger", {}});
    print_row("restart", static_cast<double>(again.last_seq()) / seconds, "transfers/s");
}

void measure_memory(const Settings& settings, Pattern pattern) {
    Workload work(pattern, 1);
    work.open_accounts();
    std::uint64_t transfers = 0;
    const Clock clock;
    while (transfers < settings.transfers) transfers += work.next(0).transfers.size();
    clock.print(transfers);
    must(work.ledger().verify());
}

void measure_batches(const Settings& settings, Pattern pattern) {
    const Place place(settings);
    Workload work(pattern, 1);
    {
        const auto store = must(storage::open(place.url()));
        must(store->commit(work.open_accounts()));
        const Clock clock;
        std::uint64_t transfers = 0, commits = 0;
        for (; transfers < settings.transfers; ++commits) {
            storage::Batch batch;
            for (std::size_t i = 0; i < kBatch; ++i) {
                ledger::Rows rows = work.next(0);
                transfers += rows.transfers.size();
                batch.add(std::move(rows));
            }
            must(store->commit(batch));
        }
        clock.print(transfers);
        print_row("commits", static_cast<double>(commits), "1");
    }
    // The store is closed: its log has gone into the file.
    if (place.bytes() > 0)
        print_row(
            "space per transfer",
            static_cast<double>(place.bytes()) / static_cast<double>(work.ledger().last_seq()),
            "bytes"
        );
    verify(place, work);
}

// `callers` requests are always under way; each caller sends its next when its last is durable.
class Callers {
  public:
    Callers(Workload& work, storage::GroupCommitter& committer)
        : work_(work), committer_(committer) {}

    // For so long, and until the last answer is there.
    void run(std::size_t callers, double seconds) {
        const auto start = Steady::now();
        for (std::size_t caller = 0; caller < callers; ++caller) send(caller);
        for (std::size_t under_way = callers; under_way > 0;)
            for (const Answer& answer : take()) {
                latencies_ms_.push_back(
                    std::chrono::duration<double, std::milli>(answer.durable - answer.sent).count()
                );
                if (seconds_since(start) < seconds)
                    send(answer.caller);
                else
                    --under_way;
            }
    }
    std::uint64_t transfers() const { return transfers_; }
    double percentile(double share) {
        std::ranges::sort(latencies_ms_);
        const auto last = static_cast<double>(latencies_ms_.size() - 1);
        return latencies_ms_.at(static_cast<std::size_t>(share * last));
    }

  private:
    struct Answer {
        std::size_t caller;
        Steady::time_point sent, durable;
    };

    void send(std::size_t caller) {
        const auto sent = Steady::now();
        ledger::Rows rows = work_.next(caller);
        transfers_ += rows.transfers.size();
        storage::Batch batch;
        batch.add(std::move(rows));
        committer_.submit(std::move(batch), [this, caller, sent](Result<void> done) {
            must(std::move(done));
            const Answer answer{caller, sent, Steady::now()};
            Lock lock(mutex_);
            answers_.push_back(answer);
            arrived_.notify_one();
        });
    }
    std::deque<Answer> take() {
        Lock lock(mutex_);
        while (answers_.empty()) arrived_.wait(mutex_);
        return std::exchange(answers_, {});
    }

    Workload& work_;
    storage::GroupCommitter& committer_;
    std::uint64_t transfers_ = 0;
    std::vector<double> latencies_ms_;
    Mutex mutex_;
    ConditionVariable arrived_;
    std::deque<Answer> answers_ GUARDED_BY(mutex_);
};

void measure_callers(const Settings& settings, Pattern pattern) {
    const Place place(settings);
    Workload work(pattern, settings.callers);
    {
        const auto store = must(storage::open(place.url()));
        must(store->commit(work.open_accounts()));
        storage::GroupCommitter committer(*store);
        Callers callers(work, committer);
        const Clock clock;
        callers.run(settings.callers, settings.seconds);
        clock.print(callers.transfers());
        print_row("commits", static_cast<double>(committer.statistics().groups), "1");
        print_row("p50", callers.percentile(0.5), "ms");
        print_row("p99", callers.percentile(0.99), "ms");
    }
    verify(place, work);
}

int run(int argc, char** argv) {
    Settings settings;
    const std::map<std::string, Pattern> patterns = {
        {"spread", Pattern::spread}, {"hot", Pattern::hot}, {"bills", Pattern::bills}
    };
    const std::map<std::string, void (*)(const Settings&, Pattern)> runs = {
        {"memory", measure_memory}, {"batches", measure_batches}, {"callers", measure_callers}
    };
    CLI::App app{"Measures the ledger and its store"};
    app.add_option("run", settings.what, "memory, batches or callers")
        ->required()
        ->check(CLI::IsMember(runs));
    app.add_option("--pattern", settings.pattern, "spread, hot or bills")
        ->check(CLI::IsMember(patterns));
    app.add_option("--url", settings.url, "an empty database; default: a new SQLite file");
    app.add_option("--folder", settings.folder, "where the SQLite file goes")
        ->check(CLI::ExistingDirectory);
    app.add_option("--transfers", settings.transfers, "memory, batches: how many")
        ->check(CLI::Range(1'000, 10'000'000));
    app.add_option("--callers", settings.callers, "each waits for its own acknowledgement")
        ->check(CLI::Range(1, 65'536));
    app.add_option("--seconds", settings.seconds, "callers: for how long")
        ->check(CLI::Range(0.1, 600.0));
    CLI11_PARSE(app, argc, argv);
    runs.at(settings.what)(settings, patterns.at(settings.pattern));
    return 0;
}

}  // namespace
}  // namespace penstock::bench

int main(int argc, char** argv) { return penstock::bench::run(argc, argv); }
