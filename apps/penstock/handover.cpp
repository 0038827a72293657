// SPDX-License-Identifier: Apache-2.0
#include "handover.h"

#include <netdb.h>
#include <poll.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include <cerrno>
#include <chrono>
#include <cstring>
#include <thread>
#include <utility>

#include "io/readable.h"

namespace penstock {
namespace {

constexpr int kAnswerMs = 5000;
constexpr Duration kRetryAfter = 50ms;
constexpr Duration kAskWithin = 10s;
constexpr Duration kAskAgain = 200ms;
constexpr char kServes = 's';

std::unexpected<Error> system_failure(const std::string& what) {
    return fail(ErrorCode::unavailable, what + ": " + std::strerror(errno));
}

void close_socket(int& socket) {
    if (socket >= 0) ::close(socket);
    socket = -1;
}

Result<sockaddr_un> address_of(const std::filesystem::path& path) {
    sockaddr_un address{};
    address.sun_family = AF_UNIX;
    const std::string text = path.string();
    if (text.size() >= sizeof address.sun_path)
        return fail_field(
            ErrorCode::invalid_argument, "--state-dir",
            "'" + text + "' is too long for the name of a Unix socket: choose a shorter folder"
        );
    std::memcpy(address.sun_path, text.data(), text.size());
    return address;
}

// One byte with, or without, a descriptor.
bool send_byte(int to, char byte, int descriptor) {
    iovec part{&byte, 1};
    alignas(cmsghdr) char control[CMSG_SPACE(sizeof(int))] = {};
    msghdr message{};
    message.msg_iov = &part;
    message.msg_iovlen = 1;
    if (descriptor >= 0) {
        message.msg_control = control;
        message.msg_controllen = sizeof control;
        cmsghdr* header = CMSG_FIRSTHDR(&message);
        header->cmsg_level = SOL_SOCKET;
        header->cmsg_type = SCM_RIGHTS;
        header->cmsg_len = CMSG_LEN(sizeof(int));
        std::memcpy(CMSG_DATA(header), &descriptor, sizeof descriptor);
    }
    return ::sendmsg(to, &message, MSG_NOSIGNAL) == 1;
}

// The byte; a descriptor that comes with it goes to `descriptor`.
std::optional<char> receive_byte(int from, int& descriptor) {
    char byte = 0;
    iovec part{&byte, 1};
    alignas(cmsghdr) char control[CMSG_SPACE(sizeof(int))] = {};
    msghdr message{};
    message.msg_iov = &part;
    message.msg_iovlen = 1;
    message.msg_control = control;
    message.msg_controllen = sizeof control;
    if (::recvmsg(from, &message, MSG_CMSG_CLOEXEC) != 1) return std::nullopt;
    const cmsghdr* header = CMSG_FIRSTHDR(&message);
    if (header != nullptr && header->cmsg_level == SOL_SOCKET && header->cmsg_type == SCM_RIGHTS)
        std::memcpy(&descriptor, CMSG_DATA(header), sizeof descriptor);
    return byte;
}

bool is_readable(int socket, int ms) {
    pollfd waited{.fd = socket, .events = POLLIN, .revents = 0};
    return ::poll(&waited, 1, ms) == 1;
}

}  // namespace

Handover::Handover(const std::filesystem::path& state_dir) : path_(state_dir / "handover.sock") {}

Handover::~Handover() {
    close_socket(peer_);
    // Where another process took over, the name is that one's.
    if (listener_ >= 0) ::unlink(path_.c_str());
    close_socket(listener_);
}

// Asked again while it sends askers away: what the process before it has left is soon settled.
Result<std::optional<Handover::Taken>> Handover::ask() {
    const auto until = std::chrono::steady_clock::now() + kAskWithin;
    while (true) {
        Result<std::optional<Taken>> taken = ask_once();
        if (taken || std::chrono::steady_clock::now() >= until) return taken;
        close_socket(peer_);
        std::this_thread::sleep_for(kAskAgain);
    }
}

Result<std::optional<Handover::Taken>> Handover::ask_once() {
    const sockaddr_un address = TRY(address_of(path_));
    peer_ = ::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (peer_ < 0) return system_failure("cannot make a Unix socket");
    if (::connect(peer_, reinterpret_cast<const sockaddr*>(&address), sizeof address) != 0) {
        close_socket(peer_);
        return std::optional<Taken>();  // nobody is there, or nobody any more
    }
    Taken taken;
    const std::optional<char> slot =
        is_readable(peer_, kAnswerMs) ? receive_byte(peer_, taken.socket) : std::nullopt;
    if (!slot || (*slot != 0 && *slot != 1) || taken.socket < 0)
        return fail(
            ErrorCode::unavailable,
            "the gateway that runs with this state folder does not hand over: it may be ending, or "
            "another one takes over from it already; try again when that is done"
        );
    taken.slot = static_cast<unsigned char>(*slot);
    return std::optional(taken);
}

Result<void> Handover::confirm() {
    if (!send_byte(peer_, kServes, -1))
        return system_failure("the process before cannot be told that this one serves");
    close_socket(peer_);
    return {};
}

Result<void> Handover::offer(int socket, int slot) {
    const sockaddr_un address = TRY(address_of(path_));
    socket_ = socket;
    slot_ = slot;
    ::unlink(path_.c_str());
    listener_ = ::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    if (listener_ < 0) return system_failure("cannot make a Unix socket");
    if (::bind(listener_, reinterpret_cast<const sockaddr*>(&address), sizeof address) != 0 ||
        ::listen(listener_, 1) != 0) {
        const auto failure = system_failure("cannot listen at " + path_.string());
        close_socket(listener_);
        return failure;
    }
    return {};
}

io::Task<void> Handover::until_taken(telemetry::Logger log, std::function<bool()> may) {
    while (true) {
        co_await io::until_readable(peer_ < 0 ? listener_ : peer_);
        if (peer_ >= 0 && is_confirmed(log)) break;
        if (peer_ < 0 && !answer_next(may())) co_await io::sleep_for(kRetryAfter);
    }
    close_socket(listener_);  // its name is the newer process's
}

// False: nobody is there after all, or there is no descriptor for it.
bool Handover::answer_next(bool may) {
    peer_ = ::accept4(listener_, nullptr, nullptr, SOCK_CLOEXEC | SOCK_NONBLOCK);
    if (peer_ >= 0 && !may) close_socket(peer_);
    if (peer_ >= 0 && !send_byte(peer_, static_cast<char>(slot_), socket_)) close_socket(peer_);
    return peer_ >= 0;
}

// True when the newer process serves.
bool Handover::is_confirmed(telemetry::Logger& log) {
    if (!is_readable(peer_, 0)) return false;
    int none = -1;
    const std::optional<char> word = receive_byte(peer_, none);
    close_socket(none);
    close_socket(peer_);
    if (word == kServes) return true;
    log.warning("a process that was to take over has ended; this one goes on");
    return false;
}

Result<int> listen_at(const std::string& host, std::uint16_t port) {
    addrinfo wanted{};
    wanted.ai_socktype = SOCK_STREAM;
    wanted.ai_flags = AI_PASSIVE;
    addrinfo* found = nullptr;
    const int problem = ::getaddrinfo(host.c_str(), std::to_string(port).c_str(), &wanted, &found);
    if (problem != 0)
        return fail_field(
            ErrorCode::invalid_argument, "--listen",
            "'" + host + "' is not an address of this machine: " + ::gai_strerror(problem)
        );
    int socket = ::socket(found->ai_family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    const int on = 1;
    const bool listens =
        socket >= 0 && ::setsockopt(socket, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on) == 0 &&
        ::bind(socket, found->ai_addr, found->ai_addrlen) == 0 && ::listen(socket, SOMAXCONN) == 0;
    ::freeaddrinfo(found);
    if (listens) return socket;
    const auto failure = system_failure(
        "cannot listen on " + host + ":" + std::to_string(port) + " (is another program using it?)"
    );
    close_socket(socket);
    return failure;
}

}  // namespace penstock
