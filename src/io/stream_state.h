// SPDX-License-Identifier: Apache-2.0
#pragma once

// The inside of a Stream, for src/io and for the WebSocket of src/http, whose library reads and
// writes Asio streams itself. Heavy: include it in .cpp files only.

#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/local/stream_protocol.hpp>
#include <boost/asio/ssl/stream.hpp>
#include <string>
#include <variant>

#include "io/stream.h"
#include "io/stream_deadlines.h"
#include "io/turn_end.h"

namespace penstock::io {

using TcpSocket = boost::asio::basic_stream_socket<boost::asio::ip::tcp, Executor>;
using UnixSocket = boost::asio::basic_stream_socket<boost::asio::local::stream_protocol, Executor>;
using TlsSocket = boost::asio::ssl::stream<TcpSocket>;

// "192.0.2.7:80", "[2001:db8::1]:80"
std::string to_string(const boost::asio::ip::tcp::endpoint& endpoint);

struct Stream::State final : StreamDeadlines::Entry, TurnEnd::Entry {
    using Socket = std::variant<TcpSocket, UnixSocket, std::unique_ptr<TlsSocket>>;

    State(Socket socket_given, std::string peer_given);
    ~State() override;
    State(const State&) = delete;
    State& operator=(const State&) = delete;
    void expire() override { cancel(); }
    void cancel();
    void close();
    int handle();
    bool secure() const { return socket.index() == 2; }
    bool open() const;
    Executor executor();
    // Takes from what was put back; 0 when there is nothing.
    bool has_pushback() const { return uncommon && !uncommon->pushback.empty(); }
    std::size_t take_pushback(char* into, std::size_t size);

    // Sends what write_soon() kept, and then the parts, as far as the socket takes them; the parts
    // become what is left.
    Result<void> send_kept_and(std::span<std::string_view>& parts);
    void send_kept();
    void wait_for_room();
    void turn_ended() override { send_kept(); }

    // Applies `use` to the socket, whatever it is.
    template <class Use>
    decltype(auto) visit(Use&& use) {
        switch (socket.index()) {
            case 0:
                return use(*std::get_if<0>(&socket));
            case 1:
                return use(*std::get_if<1>(&socket));
            default:
                return use(**std::get_if<2>(&socket));
        }
    }

    // What few streams have: there may be many.
    struct Uncommon {
        std::shared_ptr<TlsContext::State> tls;  // of a TLS socket, which refers to it
        std::string pushback;                    // comes before what the socket gives
    };
    std::unique_ptr<Uncommon> uncommon;
    Uncommon& make_uncommon() {
        if (!uncommon) uncommon = std::make_unique<Uncommon>();
        return *uncommon;
    }

    Socket socket;
    std::string peer;
    bool closed = false;
    int send_error = 0;  // of the system, of what was kept

    TurnEnd& turn;
    std::string kept;                        // by write_soon(), until the turn ends
    std::shared_ptr<State*> waits_for_room;  // to send the rest of it; null once it is gone

    // Of call_when_readable(). Shared with the operation that waits, which may outlive the stream.
    struct Readiness {
        std::move_only_function<void()> told;
        bool waiting = false;
    };
    std::shared_ptr<Readiness> readiness;
};

}  // namespace penstock::io
