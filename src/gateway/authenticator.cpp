// SPDX-License-Identifier: Apache-2.0
#include "gateway/authenticator.h"

#include <algorithm>

#include "http/headers.h"

namespace penstock::gateway {
namespace {

constexpr std::string_view kScheme = "Bearer ";

std::unexpected<Error> unknown_key() {
    return fail(
        ErrorCode::unauthenticated,
        "the API key is not known, or was revoked; make one with 'penstock key create' and send it "
        "as "
        "'Authorization: Bearer sk-…'"
    );
}

// The key of "Bearer sk-…".
Result<std::string_view> key_in(std::string_view authorization) {
    if (authorization.size() <= kScheme.size() ||
        !http::equal_ignoring_case(authorization.substr(0, kScheme.size()), kScheme))
        return fail(
            ErrorCode::unauthenticated,
            "an API key is missing; send it as 'Authorization: Bearer sk-…' or 'x-api-key: sk-…'"
        );
    const std::string_view key = authorization.substr(kScheme.size());
    if (!key.starts_with("sk-") || key.size() > Authenticator::kKeyBytesMax) return unknown_key();
    return key;
}

}  // namespace

Authenticator::Authenticator(
    io::Executor executor, io::TaskGroup& tasks, ServerLink& server, const Clock& clock
)
    : executor_(std::move(executor)), tasks_(tasks), server_(server), clock_(clock) {}

std::string Authenticator::shown(const http::Headers& headers) {
    if (const auto authorization = headers.find("Authorization"))
        return std::string(*authorization);
    const auto key = headers.find("x-api-key");
    return key ? std::string(kScheme).append(*key) : std::string();
}

std::optional<Result<KeyPtr>> Authenticator::authenticate_now(std::string_view authorization) {
    const Result<std::string_view> key = key_in(authorization);
    if (!key) return std::unexpected(key.error());
    const Sha256 digest = sha256(*key);
    const KeyCache::Entry* entry = cache_.find(digest);
    if (entry == nullptr) return std::nullopt;
    if (clock_.now() >= entry->fresh_until) {
        if (!may_ask_beside(*entry)) return std::nullopt;
        (void)question_of(digest);
    }
    return judge(entry, false);
}

bool Authenticator::may_ask_beside(const KeyCache::Entry& entry) const {
    return clock_.now() < entry.good_until && entry.told_at >= told_since_ && is_told() &&
           !is_server_silent_;
}

bool Authenticator::is_told() const {
    return told_at_ && clock_.monotonic() - *told_at_ < kToldLately;
}

void Authenticator::on_told() {
    if (!is_told()) told_since_ = clock_.now();
    told_at_ = clock_.monotonic();
    last_told_ = clock_.now();
}

io::Task<Result<KeyPtr>> Authenticator::authenticate(std::string authorization) {
    if (std::optional<Result<KeyPtr>> known = authenticate_now(authorization))
        co_return *std::move(known);
    const Sha256 digest = sha256(CO_TRY(key_in(authorization)));
    if (is_server_silent_ && cache_.find(digest) != nullptr) {
        Result<KeyPtr> stale = judge(cache_.find(digest), true);
        if (stale && clock_.monotonic() >= ask_again_at_) {
            ask_again_at_ = clock_.monotonic() + kAskAgainAfter;
            (void)question_of(digest);
        }
        if (stale) co_return stale;
    }
    ++calls_waited_;
    const Result<KeyCache::Entry> asked = co_await ask(digest);
    if (!asked) {
        Result<KeyPtr> stale = judge(cache_.find(digest), true);
        if (stale) co_return stale;
        co_return std::unexpected(asked.error());
    }
    co_return judge(&*asked, false);
}

// What the entry says, whatever its age where `stale_allowed`; null: nothing is known.
Result<KeyPtr> Authenticator::judge(const KeyCache::Entry* entry, bool stale_allowed) const {
    const Time now = clock_.now();
    if (entry == nullptr || !entry->key) return unknown_key();
    // One that is to be asked for again counts from when it was.
    const bool unchanged = entry->told_at >= told_since_ && entry->good_until > entry->fresh_until;
    const Time known_until = std::max(entry->fresh_until, unchanged ? last_told_ : Time());
    if (stale_allowed && now > known_until + KeyCache::kStaleMax) return unknown_key();
    if (entry->key->expires_at && now >= *entry->key->expires_at)
        return fail(
            ErrorCode::unauthenticated,
            "the API key expired at " + to_rfc3339(*entry->key->expires_at)
        );
    if (!entry->key->may_use_tokens)
        return fail(ErrorCode::permission_denied, "the API key lacks the scope 'tokens'");
    return entry->key;
}

// The one about this key that is under way, or a new one; nothing when too many are.
std::shared_ptr<Authenticator::Question> Authenticator::question_of(const Sha256& digest) {
    std::string name = to_hex(digest);
    if (const auto found = questions_.find(name); found != questions_.end()) return found->second;
    if (questions_.size() >= kQuestionsMax) return nullptr;
    auto fresh = std::make_shared<Question>(executor_);
    questions_.emplace(std::move(name), fresh);
    tasks_.spawn(ask_server(digest, fresh));
    return fresh;
}

// The server's answer, as the cache got it.
io::Task<Result<KeyCache::Entry>> Authenticator::ask(Sha256 digest) {
    const std::shared_ptr<Question> question = question_of(digest);
    if (question == nullptr)
        co_return fail(
            ErrorCode::unavailable, "too many API keys are being looked up; try again in a second"
        );
    while (!question->done) co_await question->answered.wait();
    co_return question->result;
}

void Authenticator::on_silence() {
    is_server_silent_ = true;
    ask_again_at_ = clock_.monotonic() + kAskAgainAfter;
}

void Authenticator::fall_silent(Question& question, const Error& cause) {
    on_silence();
    question.result =
        fail(ErrorCode::unavailable, "the API key cannot be checked now: " + cause.message);
}

io::Task<void> Authenticator::ask_server(Sha256 digest, std::shared_ptr<Question> question) {
    std::string name = to_hex(digest);
    const Time asked_at = clock_.now();
    Result<ResolvedKey> answer = co_await server_.resolve_key(name);
    is_server_silent_ = false;
    const KeyCache::Entry* said = cache_.find(digest);
    if (answer && said != nullptr && !said->key && said->told_at >= asked_at) {
        question->result = *said;  // revoked meanwhile: the answer may be older
    } else if (answer) {
        question->result = cache_.put_known(digest, *std::move(answer), clock_.now());
    } else {
        const ErrorCode code = answer.error().code;
        const bool refused = code == ErrorCode::not_found || code == ErrorCode::unauthenticated ||
                             code == ErrorCode::permission_denied;
        if (refused)
            question->result = cache_.put_unknown(digest, clock_.now());
        else
            fall_silent(*question, answer.error());
    }
    questions_.erase(name);
    question->done = true;
    question->answered.notify_all();
}

}  // namespace penstock::gateway
