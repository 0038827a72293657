// SPDX-License-Identifier: Apache-2.0
#include <fmt/format.h>
#include <sys/socket.h>
#include <unistd.h>

#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/local/stream_protocol.hpp>
#include <boost/asio/this_coro.hpp>
#include <cerrno>
#include <charconv>
#include <cstring>
#include <optional>
#include <variant>

#include "io/await.h"
#include "io/stream_state.h"

namespace penstock::io {
namespace asio = boost::asio;
using asio::ip::tcp;
using asio::local::stream_protocol;
using boost::system::error_code;

namespace {

using TcpAcceptor = asio::basic_socket_acceptor<tcp, Executor>;
using UnixAcceptor = asio::basic_socket_acceptor<stream_protocol, Executor>;

}  // namespace

struct Listener::State {
    std::variant<TcpAcceptor, UnixAcceptor> acceptor;
    std::uint16_t port = 0;
};

namespace {

std::unexpected<Error> cannot_listen(const std::string& where, const error_code& error) {
    return fail(
        ErrorCode::unavailable,
        fmt::format(
            "cannot listen on {}: {} (is another program using it?)", where, error.message()
        )
    );
}

Result<tcp::endpoint> endpoint_of(const Executor& executor, const ListenOptions& options) {
    error_code error;
    const auto address = asio::ip::make_address(options.host, error);
    if (!error) return tcp::endpoint(address, options.port);
    // Before anything is served, so a blocking look-up harms nobody.
    asio::ip::basic_resolver<tcp, Executor> resolver(executor);
    const auto found =
        resolver.resolve(options.host, std::to_string(options.port), tcp::resolver::passive, error);
    if (error || found.empty())
        return fail(
            ErrorCode::invalid_argument,
            fmt::format("'{}' is not an address of this machine: {}", options.host, error.message())
        );
    return found.begin()->endpoint();
}

// "fd:7": a socket that listens already.
std::optional<int> inherited(const std::string& host) {
    constexpr std::string_view kPrefix = "fd:";
    if (!host.starts_with(kPrefix)) return std::nullopt;
    int fd = -1;
    const char* const end = host.data() + host.size();
    const auto [stop, error] = std::from_chars(host.data() + kPrefix.size(), end, fd);
    return error == std::errc() && stop == end ? std::optional(fd) : std::nullopt;
}

// Linux gives it to each connection that is accepted. What it cannot be told harms nobody.
void set_no_delay(TcpAcceptor& acceptor) {
    error_code ignored;
    acceptor.set_option(tcp::no_delay(true), ignored);
}

Result<TcpAcceptor> adopt(const Executor& executor, int fd) {
    sockaddr_storage address{};
    socklen_t size = sizeof address;
    TcpAcceptor acceptor(executor);
    error_code error;
    if (::getsockname(fd, reinterpret_cast<sockaddr*>(&address), &size) != 0)
        error.assign(errno, boost::system::system_category());
    if (!error) acceptor.assign(address.ss_family == AF_INET6 ? tcp::v6() : tcp::v4(), fd, error);
    if (!error) acceptor.native_non_blocking(true, error);
    if (error) return cannot_listen("an inherited socket", error);
    set_no_delay(acceptor);
    return acceptor;
}

// Where a connection came from.
struct Peer {
    sockaddr_storage address{};
    socklen_t size = sizeof address;
};

Result<Stream> make_stream(TcpAcceptor& acceptor, int fd, const Peer& from) {
    tcp::endpoint peer;
    peer.resize(from.size);
    std::memcpy(peer.data(), &from.address, from.size);
    TcpSocket socket(acceptor.get_executor());
    error_code error;
    socket.assign(peer.protocol(), fd, error);
    if (error) {
        ::close(fd);
        return fail(ErrorCode::unavailable, "no connection could be used: " + error.message());
    }
    return Stream(std::make_unique<Stream::State>(std::move(socket), to_string(peer)));
}

Result<Stream> make_stream(UnixAcceptor& acceptor, int fd, const Peer&) {
    UnixSocket socket(acceptor.get_executor());
    error_code error;
    socket.assign(stream_protocol(), fd, error);
    if (error) {
        ::close(fd);
        return fail(ErrorCode::unavailable, "no connection could be used: " + error.message());
    }
    return Stream(std::make_unique<Stream::State>(std::move(socket), "unix"));
}

// Asked only when one waits: Linux makes a socket before it finds that nobody does.
template <class Acceptor>
Task<Result<Stream>> accept_on(Acceptor* acceptor) {
    while (true) {
        const auto [error] = co_await acceptor->async_wait(asio::socket_base::wait_read, kAwait);
        if (error == asio::error::operation_aborted) {
            const asio::cancellation_state cancellation =
                co_await asio::this_coro::cancellation_state;
            if (cancellation.cancelled() != asio::cancellation_type::none)
                throw boost::system::system_error(error);
        }
        if (error)
            co_return fail(
                ErrorCode::unavailable, "no connection could be accepted: " + error.message()
            );
        Peer peer;
        const int fd = ::accept4(
            acceptor->native_handle(), reinterpret_cast<sockaddr*>(&peer.address), &peer.size,
            SOCK_NONBLOCK | SOCK_CLOEXEC
        );
        if (fd >= 0) co_return make_stream(*acceptor, fd, peer);
        // Another process took it, or it has gone again.
        if (errno == EAGAIN || errno == EWOULDBLOCK || errno == EINTR || errno == ECONNABORTED)
            continue;
        const error_code cause(errno, boost::system::system_category());
        co_return fail(
            ErrorCode::unavailable, "no connection could be accepted: " + cause.message()
        );
    }
}

}  // namespace

Listener::Listener(std::unique_ptr<State> state) : state_(std::move(state)) {}
Listener::~Listener() = default;
Listener::Listener(Listener&&) noexcept = default;
Listener& Listener::operator=(Listener&&) noexcept = default;

Result<Listener> Listener::bind(Executor executor, ListenOptions options) {
    if (const std::optional<int> fd = inherited(options.host)) {
        TcpAcceptor adopted = TRY(adopt(executor, *fd));
        error_code unknown;
        const std::uint16_t port = adopted.local_endpoint(unknown).port();
        return Listener(std::make_unique<State>(State{std::move(adopted), port}));
    }
    const tcp::endpoint endpoint = TRY(endpoint_of(executor, options));
    TcpAcceptor acceptor(executor);
    error_code error;
    acceptor.open(endpoint.protocol(), error);
    if (!error) acceptor.set_option(TcpAcceptor::reuse_address(true), error);
    if (!error && options.reuse_port) {
        const int on = 1;
        if (::setsockopt(acceptor.native_handle(), SOL_SOCKET, SO_REUSEPORT, &on, sizeof(on)) != 0)
            error.assign(errno, boost::system::system_category());
    }
    if (!error) acceptor.bind(endpoint, error);
    if (!error) acceptor.listen(options.backlog, error);
    if (!error) acceptor.native_non_blocking(true, error);
    if (error) return cannot_listen(to_string(endpoint), error);
    set_no_delay(acceptor);
    const std::uint16_t port = acceptor.local_endpoint(error).port();
    return Listener(std::make_unique<State>(State{std::move(acceptor), port}));
}

Result<Listener> Listener::bind_unix(Executor executor, std::string path) {
    UnixAcceptor acceptor(executor);
    error_code error;
    acceptor.open(stream_protocol(), error);
    if (!error) acceptor.bind(stream_protocol::endpoint(path), error);
    if (!error) acceptor.listen(asio::socket_base::max_listen_connections, error);
    if (!error) acceptor.native_non_blocking(true, error);
    if (error) return cannot_listen(path, error);
    return Listener(std::make_unique<State>(State{std::move(acceptor), 0}));
}

Task<Result<Stream>> Listener::accept() {
    if (auto* tcp_acceptor = std::get_if<TcpAcceptor>(&state_->acceptor))
        return accept_on(tcp_acceptor);
    return accept_on(std::get_if<UnixAcceptor>(&state_->acceptor));
}

std::uint16_t Listener::local_port() const { return state_->port; }

void Listener::close() {
    error_code ignored;
    std::visit([&](auto& acceptor) { acceptor.close(ignored); }, state_->acceptor);
}

}  // namespace penstock::io
