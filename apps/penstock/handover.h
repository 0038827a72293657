// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <filesystem>
#include <functional>
#include <optional>
#include <string>

#include "base/result.h"
#include "io/task.h"
#include "telemetry/log.h"

namespace penstock {

// One process of a gateway goes on where another one was, without a moment in which nobody listens:
// the socket itself is handed over, with the connections that wait in it, so none is refused or
// lost. A Unix socket in the state folder is where the running process can be asked:
//     newer → older   (connects)
//     older → newer   one byte: the older's slot, with the listening socket
//     newer → older   one byte: it serves; from then on the older one only drains
// A newer one that ends before the second byte changes nothing.
class Handover {
  public:
    explicit Handover(const std::filesystem::path& state_dir);
    ~Handover();
    Handover(const Handover&) = delete;
    Handover& operator=(const Handover&) = delete;

    struct Taken {
        int socket = -1;  // listens
        int slot = 0;     // of the older process; there are two
    };
    // Nothing: no process can be asked. It has five seconds for its answer, and is asked for ten
    // seconds while it sends askers away.
    Result<std::optional<Taken>> ask();
    // To the older one, after ask().
    Result<void> confirm();
    // From now on this process can be asked. Returns when another one has confirmed. Whoever asks
    // while `may` says no is sent away.
    Result<void> offer(int socket, int slot);
    io::Task<void> until_taken(telemetry::Logger log, std::function<bool()> may);

  private:
    Result<std::optional<Taken>> ask_once();
    bool answer_next(bool may);
    bool is_confirmed(telemetry::Logger& log);
    std::filesystem::path path_;
    int peer_ = -1;      // the older process, or the newer one that was answered
    int listener_ = -1;  // where this process can be asked
    int socket_ = -1;    // what is handed over
    int slot_ = 0;
};

// A socket that listens; port 0 lets the system choose.
Result<int> listen_at(const std::string& host, std::uint16_t port);

}  // namespace penstock
