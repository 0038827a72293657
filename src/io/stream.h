// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>

#include "io/task.h"
#include "io/tls.h"

namespace penstock::io {

// A connected byte stream: TCP (with TCP_NODELAY), TLS over TCP, or a Unix socket. One task may
// read and one may write at the same time. Destruction closes it.
//
// Deadlines are kept by a sweep of the Runtime and are precise to kDeadlineGrain: they guard
// against peers that are stuck and cost nothing to set.
class Stream {
  public:
    static constexpr Duration kDeadlineGrain = 20ms;
    static constexpr std::size_t kGatherMax = 16;
    static constexpr std::size_t kSoonMax = 8UL * 1024;

    Stream();
    ~Stream();
    Stream(Stream&&) noexcept;
    Stream& operator=(Stream&&) noexcept;

    // At least one byte, or 0 at the orderly end of the stream. A TLS peer that just drops the
    // connection is an error (unavailable), since the data may have been cut.
    Task<Result<std::size_t>> read_some(std::span<char> into, Deadline deadline = Deadline::none());
    // The same for a piece of what runs for long: where the loop is busy, what begins elsewhere is
    // served first (turn_end.h).
    Task<Result<std::size_t>> read_piece(
        std::span<char> into, Deadline deadline = Deadline::none()
    );
    // All of it. `deadline` is for the whole call.
    Task<Result<void>> write(std::string_view bytes, Deadline deadline = Deadline::none());
    // All parts in order, in one system call where the socket takes them; at most kGatherMax parts.
    Task<Result<void>> write(
        std::span<const std::string_view> parts, Deadline deadline = Deadline::none()
    );
    // As much as goes out at once, without waiting: `parts` become what is left, for write(). With
    // TLS that is all of it. A write that ends here costs no turn of the loop and no coroutine.
    Result<void> write_now(std::span<std::string_view>& parts);
    // Small messages: as write(), but sent at the end of the loop's turn, together with what other
    // streams send (turn_end.h), or before what is written to this one next; where the loop is
    // quiet, more than kSoonMax bytes, and TLS are as with write_now(). That it failed is told by
    // send_failed() and by the next write.
    Result<void> write_soon(std::span<std::string_view>& parts);
    // A piece of a message: as write_soon(), but not sent before push(), nor without it, unless
    // something else is written or the stream ends.
    Result<void> keep(std::span<std::string_view>& parts);
    void push();
    // Whether bytes that were to go out could not. Reading may go on: the peer may have said why.
    bool send_failed() const;
    // Until read_some() has something to tell: bytes, the end, or an error. Holds no buffer.
    Task<Result<void>> wait_readable(Deadline deadline = Deadline::none());
    // What is there now, at most `into.size()` bytes; nothing when it would have to wait; 0 at the
    // end. Not for TLS.
    Result<std::optional<std::size_t>> read_now(std::span<char> into);
    // Calls `told` once, on the Runtime's thread, when there is something to read or the peer has
    // gone, and perhaps without a cause; a further call replaces it, nullptr takes it back. Not for
    // TLS. Cheaper than a task that waits, since nothing is undone when it is taken back.
    void call_when_readable(std::move_only_function<void()> told);
    // Whether a kept connection can be used again: nothing to read and not closed by the peer.
    bool idle_and_open();
    // Puts bytes back in front of what comes next.
    void unread(std::string bytes);

    // Handshakes; on failure the stream is closed. `host` is verified against the certificate.
    Task<Result<void>> secure_as_server(TlsContext context, Deadline deadline);
    Task<Result<void>> secure_as_client(TlsContext context, std::string host, Deadline deadline);

    // Tells the peer that nothing follows (TLS close_notify, FIN). The other direction stays open.
    Task<void> shutdown(Deadline deadline);
    // At once. Waiting operations end with unavailable.
    void close();
    // As close(), but the peer sees a reset: for answers that must not look complete.
    void abort();

    bool is_open() const;
    bool is_secure() const;
    // "192.0.2.7:50412", "[2001:db8::1]:443", "unix".
    const std::string& peer() const;
    // Subject common name of a verified client certificate, or empty.
    std::string peer_certificate_name() const;
    Executor executor() const;

    struct State;
    explicit Stream(std::unique_ptr<State> state);
    State& state() { return *state_; }

  private:
    template <class Socket>
    static Task<Result<std::size_t>> read_from(
        State* state, Socket* socket, std::span<char> into, Deadline deadline, bool gives_way
    );
    template <class Socket>
    static Task<Result<void>> write_to(
        State* state, Socket* socket, std::span<const std::string_view> rest, Deadline deadline
    );
    template <class Socket>
    static Task<Result<void>> wait_for(State* state, Socket* socket, Deadline deadline);
    template <class Socket>
    static Task<Result<void>> drain(State* state, Socket* socket, Deadline deadline);

    std::unique_ptr<State> state_;
};

struct ConnectOptions {
    // Refuse private, loopback, link-local and otherwise special addresses of either family: for
    // addresses that a user gave. The address that was checked is the one connected to.
    bool public_addresses_only = false;
};
// Resolves `host` (a name or an address, IPv6 without brackets) and tries its addresses in turn.
Task<Result<Stream>> connect_tcp(
    Executor executor, std::string host, std::uint16_t port, Deadline deadline,
    ConnectOptions options = {}
);
Task<Result<Stream>> connect_unix(Executor executor, std::string path, Deadline deadline);

struct ListenOptions {
    std::string host = "127.0.0.1";
    std::uint16_t port = 0;   // 0: the system chooses
    bool reuse_port = false;  // several processes or threads share the port
    int backlog = 1024;
};

// Accepts TCP connections. SO_REUSEADDR is on.
class Listener {
  public:
    static Result<Listener> bind(Executor executor, ListenOptions options);
    static Result<Listener> bind_unix(Executor executor, std::string path);
    ~Listener();
    Listener(Listener&&) noexcept;
    Listener& operator=(Listener&&) noexcept;

    Task<Result<Stream>> accept();
    std::uint16_t local_port() const;
    void close();

  private:
    struct State;
    explicit Listener(std::unique_ptr<State> state);
    std::unique_ptr<State> state_;
};

}  // namespace penstock::io
