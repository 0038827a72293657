// SPDX-License-Identifier: Apache-2.0
#include "gateway/tokenizer_shelf.h"

#include "base/check.h"
#include "gateway/key_cache.h"
#include "io/task.h"

namespace penstock::gateway {
namespace {

constexpr Duration kLookEvery = 1s;

Result<tokenizer::Tokenizer> read(std::string_view file, const std::string& sha256_wanted) {
    if (to_hex(sha256(file)) != sha256_wanted)
        return fail(ErrorCode::unavailable, "what the server sent does not hash to its name");
    return tokenizer::Tokenizer::from_file(file);
}

}  // namespace

void TokenizerShelf::want(std::set<std::string> hashes) {
    while (hashes.size() > kTokenizersMax) {
        log_.warning(
            "a tokenizer is not loaded: there are too many",
            {{"sha256", *hashes.rbegin()}, {"most", kTokenizersMax}}
        );
        hashes.erase(std::prev(hashes.end()));
    }
    wanted_ = std::move(hashes);
    std::erase_if(loaded_, [&](const auto& entry) { return !wanted_.contains(entry.first); });
    std::erase_if(failed_, [&](const auto& entry) { return !wanted_.contains(entry.first); });
    show();
}

io::Task<void> TokenizerShelf::load_forever() {
    while (true) {
        const std::set<std::string> now_wanted = wanted_;
        for (const std::string& sha256 : now_wanted) {
            if (loaded_.contains(sha256) || !wanted_.contains(sha256)) continue;
            const auto failed = failed_.find(sha256);
            if (failed != failed_.end() && std::chrono::steady_clock::now() < failed->second)
                continue;
            co_await load(sha256);
        }
        co_await io::sleep_for(kLookEvery);
    }
}

io::Task<void> TokenizerShelf::load(std::string sha256) {
    const Result<std::string> file = co_await server_.blob(sha256);
    if (reader_ == nullptr) reader_ = std::make_unique<io::Pool>(1);
    Result<tokenizer::Tokenizer> made = std::unexpected(Error());
    if (file)
        made = co_await reader_->run([&] { return read(*file, sha256); });
    else
        made = std::unexpected(file.error());
    if (made) {
        log_.info("a tokenizer is loaded", {{"sha256", sha256}, {"tokens", made->size()}});
        failed_.erase(sha256);
        if (counter_ == nullptr) counter_ = std::make_unique<io::Pool>(1);
        if (wanted_.contains(sha256))
            loaded_[sha256] = std::make_shared<const Entry>(sha256, *std::move(made));
    } else {
        log_.warning(
            "a tokenizer cannot be used: its calls are not counted a second time",
            {{"sha256", sha256}, {"error", to_string(made.error())}}
        );
        failed_[sha256] = std::chrono::steady_clock::now() + kTryAgain;
    }
    show();
}

TokenizerShelf::EntryPtr TokenizerShelf::find(std::string_view sha256) const {
    const auto found = loaded_.find(sha256);
    return found == loaded_.end() ? nullptr : found->second;
}

bool TokenizerShelf::take_room(std::size_t bytes) {
    CHECK(counter_ != nullptr, "there is a thread where there is an entry");
    if (waiting_bytes_.load() + bytes > kWaitingBytesMax) {
        tell_left_out();
        return false;
    }
    waiting_bytes_ += bytes;
    return true;
}

void TokenizerShelf::tell_left_out() {
    registry_
        .counter(
            "penstock_gateway_texts_not_counted_total",
            "Texts that the second meter left out: too long, or too many waited for it."
        )
        .add();
}

bool TokenizerShelf::post(std::size_t bytes, std::move_only_function<void()> job) {
    if (!take_room(bytes)) return false;
    const bool posted = counter_->post([this, bytes, job = std::move(job)]() mutable {
        job();
        waiting_bytes_ -= bytes;
    });
    if (!posted) waiting_bytes_ -= bytes;
    return posted;
}

io::Task<bool> TokenizerShelf::run(std::size_t bytes, std::move_only_function<void()> job) {
    if (!take_room(bytes)) co_return false;
    co_await counter_->run([&] {
        job();
        waiting_bytes_ -= bytes;
    });
    co_return true;
}

void TokenizerShelf::show() const {
    const auto gauge = [&](std::string_view state) -> telemetry::Gauge& {
        return registry_.gauge(
            "penstock_gateway_tokenizers", "Tokenizers that endpoints name.", {{"state", state}}
        );
    };
    gauge("loaded").set(static_cast<double>(loaded_.size()));
    gauge("failed").set(static_cast<double>(failed_.size()));
}

}  // namespace penstock::gateway
