// SPDX-License-Identifier: Apache-2.0
#include <fmt/format.h>
#include <net/if.h>
#include <netinet/in.h>

#include <algorithm>
#include <array>
#include <boost/asio/ip/tcp.hpp>
#include <charconv>
#include <optional>
#include <string_view>
#include <vector>

#include "base/check.h"
#include "io/await.h"
#include "io/event.h"
#include "io/stream_state.h"

namespace penstock::io {
namespace asio = boost::asio;
using asio::ip::tcp;
using boost::system::error_code;
namespace {

constexpr std::size_t kAddressesMax = 8;        // of one name; further ones are not tried
constexpr Duration kAttemptTimeoutMin = 500ms;  // what one address gets at least of the time left
// An IPv6 address with its zone; and that in brackets before ":65535".
constexpr std::size_t kAddressBytesMax = INET6_ADDRSTRLEN + IF_NAMESIZE;
constexpr std::size_t kEndpointBytesMax = kAddressBytesMax + std::string_view("[]:65535").size();

using Resolver = asio::ip::basic_resolver<tcp, Executor>;

// The answer of a resolver, which is left alone when our time is over: the system's resolver cannot
// be interrupted. Shared between the waiting task and the resolver's completion.
struct Resolution {
    explicit Resolution(const Executor& executor) : resolver(executor), done(executor) {}
    Resolver resolver;
    Event done;
    std::optional<error_code> error;
    std::vector<tcp::endpoint> endpoints;
};

Task<Result<std::vector<tcp::endpoint>>> resolve(
    Executor executor, std::string host, std::uint16_t port, Deadline deadline
) {
    error_code not_an_address;
    const auto address = asio::ip::make_address(host, not_an_address);
    if (!not_an_address) co_return std::vector{tcp::endpoint(address, port)};
    const auto resolution = std::make_shared<Resolution>(executor);
    resolution->resolver.async_resolve(
        host, std::to_string(port), tcp::resolver::numeric_service,
        [resolution](error_code error, const tcp::resolver::results_type& results) {
            resolution->error = error;
            for (const auto& entry : results) {
                if (resolution->endpoints.size() == kAddressesMax) break;
                resolution->endpoints.push_back(entry.endpoint());
            }
            resolution->done.notify_all();
        }
    );
    while (!resolution->error)
        if (!co_await resolution->done.wait(deadline))
            co_return fail(
                ErrorCode::deadline_exceeded,
                fmt::format("resolving '{}' took longer than allowed", host)
            );
    if (*resolution->error)
        co_return fail(
            ErrorCode::unavailable,
            fmt::format("host '{}' cannot be resolved: {}", host, resolution->error->message())
        );
    co_return std::move(resolution->endpoints);
}

struct Network {
    std::uint32_t address;
    int bits;
};
// IANA IPv4 Special-Purpose Address Registry, multicast and reserved space.
constexpr std::array kSpecialV4 = {
    Network{0x00000000, 8},  Network{0x0A000000, 8},  Network{0x64400000, 10},
    Network{0x7F000000, 8},  Network{0xA9FE0000, 16}, Network{0xAC100000, 12},
    Network{0xC0000000, 24}, Network{0xC0000200, 24}, Network{0xC0586300, 24},
    Network{0xC0A80000, 16}, Network{0xC6120000, 15}, Network{0xC6336400, 24},
    Network{0xCB007100, 24}, Network{0xE0000000, 4},  Network{0xF0000000, 4},
};

bool is_public(const asio::ip::address_v4& address) {
    for (const Network& network : kSpecialV4)
        if ((address.to_uint() >> (32 - network.bits)) == (network.address >> (32 - network.bits)))
            return false;
    return true;
}

// Only global unicast, 2000::/3, without what embeds an IPv4 address or is set aside in it.
bool is_public(const asio::ip::address_v6& address) {
    if (address.is_v4_mapped())
        return is_public(asio::ip::make_address_v4(asio::ip::v4_mapped, address));
    const auto bytes = address.to_bytes();
    const unsigned first = static_cast<unsigned>(bytes[0]) << 8 | bytes[1];
    const unsigned second = static_cast<unsigned>(bytes[2]) << 8 | bytes[3];
    if ((first & 0xE000) != 0x2000) return false;
    if (first == 0x2002) return false;  // 6to4
    if (first == 0x2001 && (second < 0x0200 || second == 0x0DB8))
        return false;        // Teredo, documentation …
    return first != 0x3FFF;  // documentation
}

bool is_public(const asio::ip::address& address) {
    return address.is_v4() ? is_public(address.to_v4()) : is_public(address.to_v6());
}

template <class Socket, class Endpoint>
Task<Result<Stream>> connect_to(
    Executor executor, Endpoint endpoint, std::string name, Deadline deadline
) {
    auto state = std::make_unique<Stream::State>(Socket(executor), std::move(name));
    state->set_write(deadline);
    const auto [error] = co_await std::get<Socket>(state->socket).async_connect(endpoint, kAwait);
    const bool expired = state->write_expired;
    state->set_write(Deadline::none());
    if (error && expired)
        co_return fail(
            ErrorCode::deadline_exceeded,
            fmt::format("connecting to {} took longer than allowed", state->peer)
        );
    if (error)
        co_return fail(
            ErrorCode::unavailable,
            fmt::format("cannot connect to {}: {}", state->peer, error.message())
        );
    co_return Stream(std::move(state));
}

}  // namespace

// By hand, because each accepted connection is named: the library's printf costs it ten times as
// much.
std::string to_string(const tcp::endpoint& endpoint) {
    std::array<char, kEndpointBytesMax> text{};
    char* const end = text.data() + text.size();
    char* at = text.data();
    if (endpoint.address().is_v4()) {
        for (const unsigned char byte : endpoint.address().to_v4().to_bytes()) {
            if (at != text.data()) *at++ = '.';
            at = std::to_chars(at, end, static_cast<unsigned>(byte)).ptr;
        }
    } else {
        const std::string address = endpoint.address().to_string();
        CHECK(address.size() <= kAddressBytesMax, "an address has a longest text");
        *at++ = '[';
        at = std::ranges::copy(address, at).out;
        *at++ = ']';
    }
    *at++ = ':';
    return {text.data(), std::to_chars(at, end, endpoint.port()).ptr};
}

Task<Result<Stream>> connect_tcp(
    Executor executor, std::string host, std::uint16_t port, Deadline deadline,
    ConnectOptions options
) {
    const std::vector<tcp::endpoint> endpoints =
        CO_TRY(co_await resolve(executor, host, port, deadline));
    Result<Stream> result =
        fail(ErrorCode::unavailable, fmt::format("host '{}' has no address", host));
    for (std::size_t i = 0; i < endpoints.size(); ++i) {
        const tcp::endpoint& endpoint = endpoints[i];
        if (options.public_addresses_only && !is_public(endpoint.address())) {
            result = fail(
                ErrorCode::permission_denied,
                fmt::format(
                    "host '{}' has the address {}, which is not public", host,
                    endpoint.address().to_string()
                )
            );
            continue;
        }
        if (deadline.passed())
            co_return fail(
                ErrorCode::deadline_exceeded,
                fmt::format("connecting to '{}' took longer than allowed", host)
            );
        const auto share = static_cast<std::int64_t>(endpoints.size() - i);
        const Deadline attempt =
            deadline.is_none()
                ? deadline
                : earlier(
                      deadline,
                      Deadline::after(std::max(kAttemptTimeoutMin, deadline.remaining() / share))
                  );
        result = co_await connect_to<TcpSocket>(executor, endpoint, to_string(endpoint), attempt);
        if (!result) continue;
        error_code ignored;
        std::get<TcpSocket>(result->state().socket).set_option(tcp::no_delay(true), ignored);
        co_return result;
    }
    co_return result;
}

Task<Result<Stream>> connect_unix(Executor executor, std::string path, Deadline deadline) {
    constexpr std::size_t kPathMax = 107;
    if (path.size() > kPathMax)
        co_return fail(
            ErrorCode::invalid_argument,
            fmt::format("socket path '{}' is longer than {} bytes", path, kPathMax)
        );
    co_return co_await connect_to<UnixSocket>(
        executor, asio::local::stream_protocol::endpoint(path), "unix:" + path, deadline
    );
}

}  // namespace penstock::io
