// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <unordered_map>

#include "base/result.h"
#include "base/time.h"
#include "gateway/key_cache.h"
#include "gateway/server_link.h"
#include "http/headers.h"
#include "io/event.h"
#include "io/task_group.h"

namespace penstock::gateway {

// Who calls: from the cache, else from the server; equal questions at one time are asked once.
// While the server tells of keys that change, one that it did not name is asked for beside its call
// when its time is over, not before it: a call waits for a key only that was not used for long.
// While the server cannot be asked, keys it knew stay good for KeyCache::kStaleMax past their time,
// or past the time when it last told of changes, if it named none of them since it told of the key,
// as long as their allowances last: only the first call waits to find out, and later ones ask again
// beside the call, one each kAskAgainAfter.
class Authenticator {
  public:
    static constexpr std::size_t kKeyBytesMax = 512;
    static constexpr std::size_t kQuestionsMax = 64;  // at one time; above: unavailable
    static constexpr Duration kAskAgainAfter = 1s;
    // The server tells of changed keys at least once in half of this, also when there are none.
    static constexpr Duration kToldLately = 2 * ServerLink::kRoutesWait;

    Authenticator(
        io::Executor executor, io::TaskGroup& tasks, ServerLink& server, const Clock& clock
    );

    // What a client shows: its Authorization, else its x-api-key as one.
    static std::string shown(const http::Headers& headers);
    // `authorization` as it came: "Bearer sk-…". unauthenticated, permission_denied or unavailable.
    io::Task<Result<KeyPtr>> authenticate(std::string authorization);
    // The same where the cache knows without asking; else nothing.
    std::optional<Result<KeyPtr>> authenticate_now(std::string_view authorization);
    // The server has told which keys changed, and cache() knows it.
    void on_told();
    // It is known that the server cannot be asked: no call waits to find out.
    void on_silence();
    // Calls that waited for the server's answer about their key.
    std::uint64_t calls_waited() const { return calls_waited_; }
    KeyCache& cache() { return cache_; }
    const KeyCache& cache() const { return cache_; }

  private:
    struct Question {
        explicit Question(io::Executor executor) : answered(std::move(executor)) {}
        io::Event answered;
        bool done = false;
        // What the cache was told: it may have forgotten it when those who wait look.
        Result<KeyCache::Entry> result = fail(ErrorCode::unavailable, "not answered yet");
    };
    io::Task<Result<KeyCache::Entry>> ask(Sha256 digest);
    std::shared_ptr<Question> question_of(const Sha256& digest);
    io::Task<void> ask_server(Sha256 digest, std::shared_ptr<Question> question);
    void fall_silent(Question& question, const Error& cause);
    Result<KeyPtr> judge(const KeyCache::Entry* entry, bool stale_allowed) const;
    bool may_ask_beside(const KeyCache::Entry& entry) const;
    bool is_told() const;

    io::Executor executor_;
    io::TaskGroup& tasks_;
    ServerLink& server_;
    const Clock& clock_;
    KeyCache cache_;
    std::uint64_t calls_waited_ = 0;
    bool is_server_silent_ = false;    // the last question was in vain
    Duration ask_again_at_{};          // monotonic
    std::optional<Duration> told_at_;  // likewise
    Time last_told_;
    Time told_since_;  // without a gap in which a change could be missed
    // Shared by those who wait for the answer and the task that asks, whichever ends last.
    std::unordered_map<std::string, std::shared_ptr<Question>> questions_;
};

}  // namespace penstock::gateway
