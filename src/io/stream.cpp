// SPDX-License-Identifier: Apache-2.0
#include <fmt/format.h>
#include <netinet/in.h>
#include <openssl/ssl.h>
#include <openssl/x509.h>
#include <sys/socket.h>

#include <algorithm>
#include <array>
#include <boost/asio/buffer.hpp>
#include <boost/asio/ssl/error.hpp>
#include <boost/asio/this_coro.hpp>
#include <cerrno>
#include <cstring>
#include <type_traits>

#include "base/check.h"
#include "io/await.h"
#include "io/stream_state.h"

namespace penstock::io {
namespace asio = boost::asio;
using boost::system::error_code;
namespace {

// What to do after an operation that ended with operation_aborted.
enum class Aborted { repeat, expired, closed };

// Several causes cancel: our own deadline, that of the other direction, close(), or the task
// itself, which unwinds.
Task<Aborted> why_aborted(const Stream::State* state, bool expired) {
    const asio::cancellation_state cancellation = co_await asio::this_coro::cancellation_state;
    const bool cancelled = cancellation.cancelled() != asio::cancellation_type::none;
    if (cancelled && co_await asio::this_coro::throw_if_cancelled())
        throw boost::system::system_error(asio::error::operation_aborted);
    if (state->closed) co_return Aborted::closed;
    // TLS keeps half-sent records in the operation that was cancelled: there is no going on.
    if (expired || state->secure()) co_return Aborted::expired;
    co_return cancelled ? Aborted::closed : Aborted::repeat;
}

error_code system_code(int error) { return {error, boost::system::system_category()}; }

std::unexpected<Error> failure(const Stream::State& state, const error_code& error) {
    return fail(
        ErrorCode::unavailable, fmt::format("connection with {}: {}", state.peer, error.message())
    );
}

std::unexpected<Error> aborted(const Stream::State& state, Aborted why, std::string_view action) {
    if (why == Aborted::expired)
        return fail(
            ErrorCode::deadline_exceeded,
            fmt::format("connection with {}: {} took longer than allowed", state.peer, action)
        );
    return fail(ErrorCode::unavailable, fmt::format("connection with {}: closed here", state.peer));
}

std::unexpected<Error> closed(const Stream::State& state) {
    return aborted(state, Aborted::closed, "");
}

// Sets a deadline for one direction and takes it back, so that none is left for a later operation.
template <void (StreamDeadlines::Entry::*Set)(Deadline)>
class Limit {
  public:
    Limit(Stream::State* state, Deadline deadline) : state_(state), set_(!deadline.is_none()) {
        (state_->*Set)(deadline);
    }
    ~Limit() {
        if (set_) (state_->*Set)(Deadline::none());
    }
    Limit(const Limit&) = delete;
    Limit& operator=(const Limit&) = delete;

  private:
    Stream::State* state_;
    bool set_;
};
using ReadLimit = Limit<&StreamDeadlines::Entry::set_read>;
using WriteLimit = Limit<&StreamDeadlines::Entry::set_write>;

// Goes on when what begins has been served.
auto give_way(TurnEnd* turn) {
    return asio::async_initiate<const asio::deferred_t, void()>(
        [turn](auto resume) { turn->put_off_piece(std::move(resume)); }, asio::deferred
    );
}

using Parts = std::array<asio::const_buffer, Stream::kGatherMax>;

// What is left of the parts after `sent` bytes.
std::span<asio::const_buffer> skip(std::span<asio::const_buffer> parts, std::size_t sent) {
    while (!parts.empty() && sent >= parts.front().size()) {
        sent -= parts.front().size();
        parts = parts.subspan(1);
    }
    if (!parts.empty()) parts.front() += sent;
    return parts;
}

}  // namespace

Stream::State::State(Socket socket_given, std::string peer_given)
    : socket(std::move(socket_given)), peer(std::move(peer_given)), turn(TurnEnd::of(executor())) {
    join(StreamDeadlines::of(executor()));
}

Stream::State::~State() {
    if (!closed) send_kept();
    if (readiness) readiness->told = nullptr;
    if (waits_for_room) *waits_for_room = nullptr;
}

void Stream::State::cancel() {
    error_code ignored;
    visit([&](auto& any) { any.lowest_layer().cancel(ignored); });
}

void Stream::State::close() {
    if (!closed) send_kept();
    closed = true;
    error_code ignored;
    visit([&](auto& any) { any.lowest_layer().close(ignored); });
}

int Stream::State::handle() {
    return visit([](auto& any) { return any.lowest_layer().native_handle(); });
}

bool Stream::State::open() const {
    return const_cast<State*>(this)->visit([](auto& any) { return any.lowest_layer().is_open(); });
}

Executor Stream::State::executor() {
    return visit([](auto& any) -> Executor { return any.get_executor(); });
}

std::size_t Stream::State::take_pushback(char* into, std::size_t size) {
    std::string& pushback = uncommon->pushback;
    const std::size_t taken = pushback.copy(into, size);
    pushback.erase(0, taken);
    if (pushback.empty()) std::string().swap(pushback);  // its memory too
    return taken;
}

Stream::Stream() = default;
Stream::~Stream() = default;
Stream::Stream(Stream&&) noexcept = default;
Stream& Stream::operator=(Stream&&) noexcept = default;
Stream::Stream(std::unique_ptr<State> state) : state_(std::move(state)) {}

// The operations are coroutines for each kind of socket, so that none stands between them and the
// socket.

template <class Socket>
Task<Result<std::size_t>> Stream::read_from(
    State* state, Socket* socket, std::span<char> into, Deadline deadline, bool gives_way
) {
    if (state->has_pushback()) co_return state->take_pushback(into.data(), into.size());
    const ReadLimit limit(state, deadline);
    while (true) {
        if (state->closed) co_return closed(*state);
        const auto [error, size] = co_await socket->async_read_some(
            asio::mutable_buffer(into.data(), into.size()), kAwait
        );
        if (!error || error == asio::error::eof) {
            if (gives_way && !state->turn.is_quiet()) {
                // Of a task that was cancelled meanwhile this would throw, and what came be lost.
                const asio::cancellation_state cancellation =
                    co_await asio::this_coro::cancellation_state;
                if (cancellation.cancelled() == asio::cancellation_type::none)
                    co_await give_way(&state->turn);
            }
            co_return size;
        }
        if (error != asio::error::operation_aborted) co_return failure(*state, error);
        const Aborted why = co_await why_aborted(state, state->read_expired);
        if (why == Aborted::repeat && state->send_error != 0)
            co_return failure(*state, system_code(state->send_error));
        if (why == Aborted::repeat) continue;
        co_return aborted(*state, why, "reading");
    }
}

Task<Result<std::size_t>> Stream::read_some(std::span<char> into, Deadline deadline) {
    return state_->visit([&](auto& socket) {
        return read_from(state_.get(), &socket, into, deadline, false);
    });
}

Task<Result<std::size_t>> Stream::read_piece(std::span<char> into, Deadline deadline) {
    return state_->visit([&](auto& socket) {
        return read_from(state_.get(), &socket, into, deadline, true);
    });
}

Task<Result<void>> Stream::write(std::string_view bytes, Deadline deadline) {
    co_return co_await write(std::span(&bytes, 1), deadline);
}

Result<void> Stream::State::send_kept_and(std::span<std::string_view>& parts) {
    turn.prepare_to_send();
    leave();
    std::array<iovec, kGatherMax + 1> vectors;
    std::size_t count = 0;
    std::size_t size = 0;
    const auto add = [&](std::string_view part) {
        if (part.empty()) return;
        // sendmsg reads only.
        vectors[count++] = {const_cast<char*>(part.data()), part.size()};  // NOLINT
        size += part.size();
    };
    add(kept);
    for (const std::string_view part : parts) add(part);
    if (size > 0) {
        msghdr message{};
        message.msg_iov = vectors.data();
        message.msg_iovlen = count;
        const ssize_t sent = ::sendmsg(handle(), &message, MSG_NOSIGNAL | MSG_DONTWAIT);
        if (sent < 0 && errno != EAGAIN && errno != EWOULDBLOCK && errno != EINTR) {
            const int error = errno;
            if (!kept.empty()) send_error = error;
            kept.clear();
            return failure(*this, system_code(error));
        }
        size = sent < 0 ? 0 : static_cast<std::size_t>(sent);
    }
    if (size < kept.size()) {
        kept.erase(0, size);
        wait_for_room();
        return {};
    }
    size -= kept.size();
    std::string().swap(kept);  // its memory too: most streams are silent for long
    while (!parts.empty() && size >= parts.front().size()) {
        size -= parts.front().size();
        parts = parts.subspan(1);
    }
    if (!parts.empty()) parts.front().remove_prefix(size);
    return {};
}

// Whoever reads learns the end of a connection by reading, of other failures by this.
void Stream::State::send_kept() {
    if (kept.empty()) return;
    std::span<std::string_view> nothing;
    if (send_kept_and(nothing)) return;
    if (send_error != EPIPE && send_error != ECONNRESET) cancel();
}

void Stream::State::wait_for_room() {
    if (waits_for_room) return;
    waits_for_room = std::make_shared<State*>(this);
    visit([&](auto& any) {
        any.lowest_layer().async_wait(
            asio::socket_base::wait_write,
            [waiting = waits_for_room](const error_code&) {
                State* const state = *waiting;
                if (state == nullptr) return;
                state->waits_for_room.reset();
                if (!state->closed) state->send_kept();
            }
        );
    });
}

Result<void> Stream::write_now(std::span<std::string_view>& parts) {
    CHECK(parts.size() <= kGatherMax, "the caller gathers at most kGatherMax parts");
    if (state_->closed) return closed(*state_);
    if (state_->send_error != 0) return failure(*state_, system_code(state_->send_error));
    if (!state_->secure()) return state_->send_kept_and(parts);
    state_->turn.prepare_to_send();
    return {};
}

Result<void> Stream::write_soon(std::span<std::string_view>& parts) {
    if (state_->turn.is_quiet()) return write_now(parts);
    TRY(keep(parts));
    if (!state_->kept.empty()) state_->turn.put_off_sending(*state_);
    return {};
}

Result<void> Stream::keep(std::span<std::string_view>& parts) {
    std::size_t size = state_->kept.size();
    for (const std::string_view part : parts) size += part.size();
    if (size > kSoonMax || state_->closed || state_->send_error != 0 || state_->secure())
        return write_now(parts);
    state_->kept.reserve(size);  // a small part and a large one would take two allocations
    for (const std::string_view part : parts) state_->kept += part;
    parts = {};
    return {};
}

void Stream::push() {
    if (state_->kept.empty() || state_->closed) return;
    if (state_->turn.is_quiet())
        state_->send_kept();
    else
        state_->turn.put_off_sending(*state_);
}

bool Stream::send_failed() const { return state_ && state_->send_error != 0; }

Task<Result<void>> Stream::write(std::span<const std::string_view> given, Deadline deadline) {
    CHECK(given.size() <= kGatherMax, "the caller gathers at most kGatherMax parts");
    std::array<std::string_view, kGatherMax> texts;
    std::ranges::copy(given, texts.begin());
    std::span<std::string_view> rest(texts.data(), given.size());
    CO_TRY(write_now(rest));
    if (rest.empty() && state_->kept.empty()) co_return Result<void>{};
    co_return co_await state_->visit([&](auto& socket) {
        return write_to(state_.get(), &socket, rest, deadline);
    });
}

template <class Socket>
Task<Result<void>> Stream::write_to(
    State* state, Socket* socket, std::span<const std::string_view> rest, Deadline deadline
) {
    if (!state->kept.empty()) CO_TRY(co_await drain(state, socket, deadline));
    Parts parts;
    for (std::size_t i = 0; i < rest.size(); ++i)
        parts[i] = asio::const_buffer(rest[i].data(), rest[i].size());
    std::span<asio::const_buffer> left = skip(std::span(parts).first(rest.size()), 0);
    const WriteLimit limit(state, deadline);
    while (!left.empty()) {
        if (state->closed) co_return closed(*state);
        const auto [error, sent] = co_await socket->async_write_some(left, kAwait);
        left = skip(left, sent);
        if (!error) continue;
        if (error != asio::error::operation_aborted) co_return failure(*state, error);
        const Aborted why = co_await why_aborted(state, state->write_expired);
        if (why == Aborted::repeat) continue;
        co_return aborted(*state, why, "writing");
    }
    co_return Result<void>{};
}

// Until what write_soon() kept has gone out.
template <class Socket>
Task<Result<void>> Stream::drain(State* state, Socket* socket, Deadline deadline) {
    const WriteLimit limit(state, deadline);
    while (!state->kept.empty()) {
        if (state->closed) co_return closed(*state);
        const auto [error] =
            co_await socket->lowest_layer().async_wait(asio::socket_base::wait_write, kAwait);
        if (!error) {
            std::span<std::string_view> nothing;
            CO_TRY(state->send_kept_and(nothing));
            continue;
        }
        if (error != asio::error::operation_aborted) co_return failure(*state, error);
        const Aborted why = co_await why_aborted(state, state->write_expired);
        if (why == Aborted::repeat) continue;
        co_return aborted(*state, why, "writing");
    }
    co_return Result<void>{};
}

template <class Socket>
Task<Result<void>> Stream::wait_for(State* state, Socket* socket, Deadline deadline) {
    if (state->has_pushback()) co_return Result<void>{};
    if constexpr (std::is_same_v<Socket, TlsSocket>)
        if (SSL_has_pending(socket->native_handle()) == 1) co_return Result<void>{};
    const ReadLimit limit(state, deadline);
    while (true) {
        if (state->closed) co_return closed(*state);
        const auto [error] =
            co_await socket->lowest_layer().async_wait(asio::socket_base::wait_read, kAwait);
        if (!error) co_return Result<void>{};
        if (error != asio::error::operation_aborted) co_return failure(*state, error);
        const Aborted why = co_await why_aborted(state, state->read_expired);
        if (why == Aborted::repeat) continue;
        co_return aborted(*state, why, "waiting for data");
    }
}

Task<Result<void>> Stream::wait_readable(Deadline deadline) {
    return state_->visit([&](auto& socket) { return wait_for(state_.get(), &socket, deadline); });
}

Result<std::optional<std::size_t>> Stream::read_now(std::span<char> into) {
    CHECK(!state_->secure(), "records of TLS are read by the task that waits for them");
    if (state_->closed) return closed(*state_);
    if (state_->has_pushback()) return state_->take_pushback(into.data(), into.size());
    const ssize_t size = ::recv(state_->handle(), into.data(), into.size(), MSG_DONTWAIT);
    if (size >= 0) return static_cast<std::size_t>(size);
    if (errno == EAGAIN || errno == EWOULDBLOCK || errno == EINTR) return std::nullopt;
    return failure(*state_, system_code(errno));
}

void Stream::call_when_readable(std::move_only_function<void()> told) {
    if (told == nullptr) {
        if (state_->readiness) state_->readiness->told = nullptr;
        return;
    }
    CHECK(!state_->secure(), "records of TLS are read by the task that waits for them");
    if (!state_->readiness) state_->readiness = std::make_shared<State::Readiness>();
    const std::shared_ptr<State::Readiness>& readiness = state_->readiness;
    readiness->told = std::move(told);
    if (std::exchange(readiness->waiting, true)) return;
    state_->visit([&](auto& socket) {
        socket.lowest_layer().async_wait(
            asio::socket_base::wait_read,
            [readiness](const error_code&) {
                readiness->waiting = false;
                if (auto told_now = std::exchange(readiness->told, nullptr)) told_now();
            }
        );
    });
}

bool Stream::idle_and_open() {
    if (!state_ || state_->closed || state_->has_pushback() || !state_->kept.empty()) return false;
    char byte = 0;
    const ssize_t size = ::recv(state_->handle(), &byte, 1, MSG_PEEK | MSG_DONTWAIT);
    return size < 0 && (errno == EAGAIN || errno == EWOULDBLOCK);
}

void Stream::unread(std::string bytes) {
    if (bytes.empty()) return;
    std::string& pushback = state_->make_uncommon().pushback;
    bytes += pushback;
    pushback = std::move(bytes);
}

Task<void> Stream::shutdown(Deadline deadline) {
    State* const state = state_.get();
    if (state->closed) co_return;
    if (!state->kept.empty())
        (void)co_await state->visit([&](auto& socket) { return drain(state, &socket, deadline); });
    if (state->secure()) {
        const ReadLimit limit(state, deadline);
        co_await (*std::get_if<2>(&state->socket))->async_shutdown(kAwait);
    }
    error_code error;
    state->visit([&](auto& any) {
        any.lowest_layer().shutdown(asio::socket_base::shutdown_send, error);
    });
}

void Stream::close() {
    if (state_) state_->close();
}

void Stream::abort() {
    if (!state_ || state_->closed) return;
    const linger reset{.l_onoff = 1, .l_linger = 0};
    (void)::setsockopt(state_->handle(), SOL_SOCKET, SO_LINGER, &reset, sizeof(reset));
    state_->close();
}

bool Stream::is_open() const { return state_ && !state_->closed && state_->open(); }
bool Stream::is_secure() const { return state_->secure(); }
const std::string& Stream::peer() const { return state_->peer; }
Executor Stream::executor() const { return state_->executor(); }

std::string Stream::peer_certificate_name() const {
    if (!state_->secure()) return {};
    SSL* const tls = (**std::get_if<2>(&state_->socket)).native_handle();
    const std::unique_ptr<X509, decltype(&X509_free)> certificate(
        SSL_get1_peer_certificate(tls), X509_free
    );
    if (!certificate || SSL_get_verify_result(tls) != X509_V_OK) return {};
    std::array<char, 256> name{};
    const int size = X509_NAME_get_text_by_NID(
        X509_get_subject_name(certificate.get()), NID_commonName, name.data(), name.size()
    );
    return size > 0 ? std::string(name.data(), static_cast<std::size_t>(size)) : std::string();
}

}  // namespace penstock::io
