// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <atomic>
#include <chrono>
#include <functional>
#include <map>
#include <memory>
#include <set>
#include <string>
#include <string_view>

#include "base/time.h"
#include "gateway/server_link.h"
#include "io/pool.h"
#include "telemetry/log.h"
#include "telemetry/metrics.h"
#include "tokenizer/tokenizer.h"

namespace penstock::gateway {

// The tokenizers that the route table names, fetched from the server by their hash. They are read
// on one thread and texts are counted on another, which begin with the first tokenizer: neither the
// event loop nor the spool's disk work waits for them, and no count waits while a large file is
// read. A tokenizer that cannot be had or read is logged and tried again; meanwhile calls go on
// without a second meter.
class TokenizerShelf {
  public:
    static constexpr std::size_t kTokenizersMax = 16;  // further ones are not loaded
    // Of texts that wait for the thread or are being counted: about a second's work. A call that
    // comes when there is no room is not counted.
    static constexpr std::size_t kWaitingBytesMax = 4UL * 1024 * 1024;
    static constexpr Duration kTryAgain = 1min;

    struct Entry {
        std::string sha256;
        tokenizer::Tokenizer tokenizer;
    };
    using EntryPtr = std::shared_ptr<const Entry>;

    TokenizerShelf(ServerLink& server, telemetry::Logger log, telemetry::Registry& registry)
        : server_(server), log_(std::move(log)), registry_(registry) {}

    // What the present route table names; others are dropped when no call needs them any more.
    void want(std::set<std::string> hashes);
    // Fetches what is wanted and not there; to be run as a task of the gateway.
    io::Task<void> load_forever();
    // Nothing: not wanted, not loaded yet, or not readable.
    EntryPtr find(std::string_view sha256) const;

    // Counts `bytes` of text on the thread, one job after the other in their order; only with an
    // entry in hand. False, and the job is not run: there is no room for so much.
    [[nodiscard]] bool post(std::size_t bytes, std::move_only_function<void()> job);
    // The same, and waits until it has run.
    io::Task<bool> run(std::size_t bytes, std::move_only_function<void()> job);
    // A text was too long to be kept: shown with those that found no room.
    void tell_left_out();

  private:
    bool take_room(std::size_t bytes);
    io::Task<void> load(std::string sha256);
    void show() const;

    ServerLink& server_;
    telemetry::Logger log_;
    telemetry::Registry& registry_;
    std::set<std::string> wanted_;
    std::map<std::string, EntryPtr, std::less<>> loaded_;
    std::map<std::string, std::chrono::steady_clock::time_point> failed_;
    std::atomic<std::size_t> waiting_bytes_ = 0;  // given back by the thread
    std::unique_ptr<io::Pool> reader_;
    std::unique_ptr<io::Pool> counter_;  // ended first: its jobs use what stands above
};

}  // namespace penstock::gateway
