// SPDX-License-Identifier: Apache-2.0
// Reads whole streams of server-sent events and tells when the first content of each came: what a
// client written in Python cannot time to a tenth of a millisecond while it reads the others.
// Streams that begin when all clients read theirs are told apart from those with which a client
// begins, when the load is still rising: a subject that has little to do sleeps between, and wakes
// late.
#include <arpa/inet.h>
#include <fmt/format.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

#include <CLI/CLI.hpp>
#include <algorithm>
#include <array>
#include <cerrno>
#include <chrono>
#include <cstdint>
#include <cstring>
#include <fstream>
#include <iterator>
#include <memory>
#include <random>
#include <stdexcept>
#include <string>
#include <string_view>
#include <vector>

namespace {
using Clock = std::chrono::steady_clock;
using Milliseconds = std::chrono::duration<double, std::milli>;

struct Options {
    std::uint16_t port = 0;
    std::string request;  // the bytes that are sent for each stream
    int clients = 20;
    int each = 3;
    int frames_min = 1;
    double within = 0;         // seconds in which the clients begin, at random
    double rest = 0;           // seconds at most, at random, from a client's stream to its next
    std::uint32_t seed = 1;    // of both
    double stream_limit = 60;  // seconds that one stream may take
};

constexpr std::size_t kReadBytes = 65536;
constexpr std::string_view kGood = "HTTP/1.1 200";
constexpr std::string_view kEnd = "data: [DONE]";

[[noreturn]] void fail(const std::string& what) { throw std::runtime_error(what); }
[[noreturn]] void fail_errno(std::string_view what) {
    fail(fmt::format("{}: {}", what, std::strerror(errno)));
}

// The first piece of text that is not empty, in any spacing of JSON.
bool has_content(std::string_view text) {
    for (const std::string_view mark : {R"("content":"w)", R"("content": "w)"})
        if (text.contains(mark)) return true;
    return false;
}

int frames_of(std::string_view text) {
    int count = 0;
    for (std::size_t at = text.find("data:"); at != text.npos; at = text.find("data:", at + 1))
        ++count;
    return count;
}

// Milliseconds from a request to the first content of its stream.
struct Times {
    std::vector<double> at_load;  // of streams that began after each client's first
    std::vector<double> rising;   // of those before
};

using Random = std::mt19937;
Clock::duration any_of(double seconds, Random& random) {
    const std::chrono::duration<double> span(
        std::uniform_real_distribution<double>(0, seconds)(random)
    );
    return std::chrono::duration_cast<Clock::duration>(span);
}

// One after another, a connection for each stream.
class Client {
  public:
    Client(const Options& options, Clock::time_point begin, Random& random)
        : options_(options), random_(random), begin_(begin), left_(options.each) {}
    ~Client() { close(); }
    Client(const Client&) = delete;
    Client& operator=(const Client&) = delete;

    bool done() const { return left_ == 0 && handle_ < 0; }
    int handle() const { return handle_; }
    bool begun() const { return left_ < options_.each; }
    bool waits_to_begin() const { return handle_ < 0 && left_ > 0; }
    Clock::time_point begin() const { return begin_; }

    void start(bool at_load) {
        --left_;
        at_load_ = at_load;
        handle_ = ::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
        if (handle_ < 0) fail_errno("socket");
        sockaddr_in address{};
        address.sin_family = AF_INET;
        address.sin_port = htons(options_.port);
        address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
        // To this machine: it is there at once, or never.
        if (::connect(handle_, reinterpret_cast<sockaddr*>(&address), sizeof address) != 0)
            fail_errno("no connection");
        const int on = 1;
        ::setsockopt(handle_, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
        text_.clear();
        first_ = {};
        started_ = Clock::now();
        if (::send(handle_, options_.request.data(), options_.request.size(), MSG_NOSIGNAL) !=
            static_cast<ssize_t>(options_.request.size()))
            fail_errno("the request was not taken whole");
    }

    // What can be read now; the time to the first content is added when the stream is whole.
    void read(Times& times) {
        std::array<char, kReadBytes> buffer;
        const ssize_t size = ::recv(handle_, buffer.data(), buffer.size(), MSG_DONTWAIT);
        const Clock::time_point now = Clock::now();
        if (size < 0 && (errno == EAGAIN || errno == EINTR)) return;
        if (size < 0) fail_errno("a stream failed");
        if (size == 0) fail("a stream was cut: " + last_of(text_));
        text_.append(buffer.data(), static_cast<std::size_t>(size));
        // What is refused may keep its connection, and nothing more would come.
        if (text_.size() >= kGood.size() && !text_.starts_with(kGood))
            fail("a stream was refused: " + text_.substr(0, kShown));
        if (first_ == Clock::time_point{} && has_content(text_)) first_ = now;
        if (!text_.contains(kEnd)) return;
        if (first_ == Clock::time_point{} || frames_of(text_) < options_.frames_min)
            fail(fmt::format("a stream was short: {} frames", frames_of(text_)));
        (at_load_ ? times.at_load : times.rising)
            .push_back(Milliseconds(first_ - started_).count());
        close();
        begin_ = now + any_of(options_.rest, random_);
    }

    void check_time(Clock::time_point now) const {
        if (handle_ >= 0 && Milliseconds(now - started_).count() > options_.stream_limit * 1e3)
            fail("a stream took too long: " + last_of(text_));
    }

  private:
    static constexpr std::size_t kShown = 300;
    static std::string last_of(const std::string& text) {
        return text.size() > kShown ? text.substr(text.size() - kShown) : text;
    }
    void close() {
        if (handle_ >= 0) ::close(handle_);
        handle_ = -1;
    }

    const Options& options_;
    Random& random_;
    Clock::time_point begin_;
    int left_;
    int handle_ = -1;
    bool at_load_ = false;
    std::string text_;
    Clock::time_point started_;
    Clock::time_point first_;
};

// A stream that has ended is followed by its client's next at once, also where two end together.
bool all_begun(const std::vector<std::unique_ptr<Client>>& clients) {
    return std::ranges::all_of(clients, [](const auto& client) { return client->begun(); });
}

// They begin independently of each other, as users do: at even distances the tokens of all would
// keep what is left of those distances by the time between tokens.
Times run(const Options& options) {
    Times times;
    Random random(options.seed);
    std::vector<std::unique_ptr<Client>> clients;
    const Clock::time_point now = Clock::now();
    for (int i = 0; i < options.clients; ++i)
        clients.push_back(
            std::make_unique<Client>(options, now + any_of(options.within, random), random)
        );
    std::vector<pollfd> waits;
    std::vector<Client*> waiting;
    while (true) {
        waits.clear();
        waiting.clear();
        Clock::time_point wake = Clock::now() + std::chrono::seconds(1);
        for (const auto& client : clients) {
            if (client->waits_to_begin() && client->begin() <= Clock::now())
                client->start(all_begun(clients));
            client->check_time(Clock::now());
            if (client->waits_to_begin()) wake = std::min(wake, client->begin());
            if (client->handle() < 0) continue;
            waits.push_back({client->handle(), POLLIN, 0});
            waiting.push_back(client.get());
        }
        if (waits.empty() &&
            std::ranges::all_of(clients, [](const auto& client) { return client->done(); }))
            return times;
        // To the microsecond: a begin that waited for the next token of another would meet that.
        const std::chrono::nanoseconds left = std::max(wake - Clock::now(), {});
        const timespec limit{
            .tv_sec = left / std::chrono::seconds(1),
            .tv_nsec = (left % std::chrono::seconds(1)).count()
        };
        if (::ppoll(waits.data(), waits.size(), &limit, nullptr) < 0 && errno != EINTR)
            fail_errno("ppoll");
        for (std::size_t i = 0; i < waits.size(); ++i)
            if (waits[i].revents != 0) waiting[i]->read(times);
    }
}

std::string contents_of(const std::string& path) {
    std::ifstream file(path, std::ios::binary);
    if (!file) fail("cannot read " + path);
    return {std::istreambuf_iterator<char>(file), {}};
}

}  // namespace

int main(int argc, char** argv) {
    Options options;
    std::string request_file;
    CLI::App app{"reads streams and prints the milliseconds to the first content of each, as JSON"};
    app.add_option("--port", options.port, "where to connect, on 127.0.0.1")->required();
    app.add_option("--request-file", request_file, "the bytes of the HTTP request")->required();
    app.add_option("--clients", options.clients, "at one time")->check(CLI::Range(1, 10'000));
    app.add_option("--each", options.each, "streams of a client, one after another")
        ->check(CLI::Range(1, 100'000));
    app.add_option("--frames-min", options.frames_min, "a stream with fewer events is an error");
    app.add_option("--within", options.within, "seconds in which the clients begin, at random")
        ->check(CLI::Range(0.0, 3600.0));
    app.add_option("--rest", options.rest, "seconds at most from a stream to the next, at random")
        ->check(CLI::Range(0.0, 3600.0));
    app.add_option("--seed", options.seed, "of what is random");
    app.add_option("--stream-limit", options.stream_limit, "seconds that one stream may take")
        ->check(CLI::PositiveNumber);
    CLI11_PARSE(app, argc, argv);
    try {
        options.request = contents_of(request_file);
        const Times times = run(options);
        fmt::print(
            R"({{"at_load": [{:.4f}], "rising": [{:.4f}]}})"
            "\n",
            fmt::join(times.at_load, ", "), fmt::join(times.rising, ", ")
        );
        return 0;
    } catch (const std::exception& error) {
        fmt::print(stderr, "{}\n", error.what());
        return 1;
    }
}
