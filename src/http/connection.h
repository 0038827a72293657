// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <array>
#include <memory>
#include <optional>
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

    static io::Task<> run(std::unique_ptr<Connection> self);
    // Of the server's stop(): closes now if no request is being answered, else after that.
    void finish();

    // Behind the handles that a handler gets.
    io::Task<Result<std::string_view>> read_body();
    std::optional<Result<std::string_view>> body_now();
    io::Task<Result<std::string>> read_whole_body();
    std::optional<std::string> whole_body_now();
    io::Task<Result<void>> write_body(std::string_view bytes);
    std::optional<Result<void>> write_body_now(std::string_view bytes);
    void push_body() { stream_.push(); }
    void push_body_now();
    io::Task<Result<void>> flush_body();
    void abort_response();
    io::Task<> client_gone();
    // Cancels the connection's task when the client goes, between begin and end. Not for TLS.
    bool can_watch() const { return !stream_.is_secure() && canceller_; }
    const bool* begin_watch();
    void end_watch();
    // Of the server's stop(): a watch ends as if the client had gone; it can still be told. False:
    // nothing watches.
    bool let_go();
    void set_canceller(io::TaskGroup::Canceller canceller) { canceller_ = std::move(canceller); }
    // Of Departures, for a watch that has lasted.
    void look_for_departure();
    std::size_t departure_at = Departures::kNowhere;

  private:
    enum class Framing : std::uint8_t { none, length, chunked, until_close };
    // What comes next on the connection.
    enum class Next : std::uint8_t { request, body, end };
    // What is told of a request in answers and logs, in one piece of memory; handlers get the
    // request itself.
    struct Asked {
        Asked() = default;
        Asked(std::string_view method, std::string_view request_id, std::string_view path);
        std::string_view method() const { return view().substr(0, method_size); }
        std::string_view request_id() const { return view().substr(method_size, id_size); }
        std::string_view path() const { return view().substr(method_size + id_size); }
        std::string_view view() const { return text; }
        std::string text;
        std::uint32_t method_size = 0;
        std::uint32_t id_size = 0;
        const Route* route = nullptr;
    };
    // A piece of a streamed body in the form in which it is sent, and the header before the first.
    struct Chunk {
        std::string head;
        std::array<char, 20> size_line;
        std::array<std::string_view, 4> parts;
    };
    // A whole answer: its header, and what is left of its body.
    struct Text {
        std::string head;
        std::string body;
        std::string_view left;
    };

    io::Task<bool> secure();
    void begin_wait();
    io::Task<Next> answer_next();
    io::Task<Response> respond();
    io::Task<Response> handle();
    io::Task<Response> handle_whole(Request request);
    Response refusal(const Refusal& refusal);
    Response problem(const Error& error, int status = 0) const;
    Result<Request> prepare_request();
    Result<std::string_view> take_piece(Parsed<std::string_view> piece);
    void begin_answer();
    std::optional<Next> end_answer(bool sent);
    io::Task<Next> end_body(bool complete);
    Text begin_text(Response& response);
    std::optional<bool> send_text_now(Text& text);
    io::Task<bool> send_text(Text text);
    bool begin_stream(Response& response);
    io::Task<bool> send_file(Response* response);
    Result<void> begin_chunk(std::string_view bytes, Chunk& chunk);
    Response upgrade_needed() const;
    bool can_upgrade() const;
    io::Task<> upgrade(Response* response);
    std::optional<bool> finish_body_now(bool complete);
    io::Task<Next> drain_body();
    io::Task<> linger();
    void wait_for_end();
    void look_for_end();
    static int status_of_body_error(const Error& error);
    std::string print_head(const Response& response, std::optional<std::uint64_t> length);
    io::Deadline write_deadline() const;
    void log_request(std::string_view note);
    void log_thrown(std::string_view what_threw, std::string_view what) const;

    Server::State* server_;
    io::Stream stream_;
    MessageReader reader_;
    Asked asked_;
    std::size_t body_max_ = 0;
    Duration started_{};
    Duration body_wait_{};
    bool expects_continue_ = false;
    bool keep_ = false;  // the connection can take a further request
    bool answering_ = false;
    bool head_only_ = false;
    bool cut_ = false;  // the answer was left incomplete
    bool watched_ = false;
    bool input_ended_ = false;
    Framing framing_ = Framing::none;
    int status_ = 0;  // of the answer
    std::uint64_t length_left_ = 0;
    std::uint64_t sent_ = 0;
    StreamBody body_;  // of the answer that is being streamed
    // Goes out before the next piece of the body: the header, later what a piece left.
    std::string unsent_;
    std::unique_ptr<Error> write_error_;
    std::unique_ptr<Head> handshake_;  // of a request that asks for a WebSocket
    std::weak_ptr<WebSocket> websocket_;
    io::TaskGroup::Canceller canceller_;  // of the task that runs this
    std::unique_ptr<io::Event> never_;    // for a watch that can see nothing more
};

}  // namespace penstock::http
