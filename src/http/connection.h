// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <memory>
#include <string>
#include <string_view>

#include "http/departures.h"
#include "http/message.h"
#include "http/message_reader.h"
#include "http/server_state.h"
#include "io/event.h"

// Internal to src/http.
namespace penstock::http {

// One accepted connection: reads a request, answers it, and again. Lives in its own task.
class Connection {
  public:
    Connection(Server::State* server, io::Stream stream);
    ~Connection();
    Connection(const Connection&) = delete;
    Connection& operator=(const Connection&) = delete;

    io::Task<> run();
    // Of the server's stop(): closes now if no request is being answered, else after that.
    void finish();

    // Behind the handles that a handler gets.
    io::Task<Result<std::string_view>> read_body();
    std::optional<Result<std::string_view>> body_now();
    io::Task<Result<void>> write_body(std::string_view bytes);
    void abort_response();
    io::Task<> client_gone();
    // Cancels the connection's task when the client goes, between begin and end. Not for TLS.
    bool can_watch() const { return !stream_.is_secure() && canceller_; }
    const bool* begin_watch();
    void end_watch();
    void set_canceller(io::TaskGroup::Canceller canceller) { canceller_ = std::move(canceller); }
    // Of Departures, for a watch that has lasted.
    void look_for_departure() { wait_for_end(); }
    std::size_t departure_at = Departures::kNowhere;

  private:
    enum class Framing { none, length, chunked, until_close };

    io::Task<bool> serve_one();
    io::Task<bool> refuse_and_close(Refusal refusal);
    Result<Router::Match> prepare_request();
    io::Task<Response> handle(const Handler* handler, Request request);
    io::Task<Parsed<void>> read_whole_body(Request* request);
    Result<std::string_view> take_piece(Parsed<std::string_view> piece);
    io::Task<bool> send(Response response);
    io::Task<bool> send_text(Response* response);
    io::Task<bool> send_stream(Response* response);
    io::Task<bool> send_file(Response* response);
    io::Task<bool> upgrade(Response* response);
    io::Task<bool> finish_body(bool complete);
    io::Task<bool> drain_body();
    io::Task<> linger();
    void wait_for_end();
    void look_for_end();
    std::string print_head(const Response& response, std::optional<std::uint64_t> length);
    io::Deadline write_deadline() const;
    void log_request(int status, std::string_view note);

    Server::State* server_;
    io::Stream stream_;
    MessageReader reader_;
    Request request_;  // what is told of it in answers and logs; handlers get their own
    std::size_t body_max_ = 0;
    Duration started_{};
    Duration body_wait_{};
    bool expects_continue_ = false;
    bool keep_ = false;  // the connection can take a further request
    bool answering_ = false;
    bool head_only_ = false;
    bool cut_ = false;  // the answer was left incomplete
    bool input_ended_ = false;
    Framing framing_ = Framing::none;
    std::uint64_t length_left_ = 0;
    std::uint64_t sent_ = 0;
    std::string pending_head_;  // goes out with the first piece of the body
    std::optional<Error> write_error_;
    Head handshake_;  // of a request that asks for a WebSocket
    std::weak_ptr<WebSocket> websocket_;
    io::TaskGroup::Canceller canceller_;  // of the task that runs this
    bool watched_ = false;
    io::Event never_;  // for a watch that can see nothing more
};

}  // namespace penstock::http
