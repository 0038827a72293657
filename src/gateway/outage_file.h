// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <filesystem>
#include <functional>
#include <string>
#include <string_view>

#include "base/result.h"
#include "io/event.h"
#include "io/pool.h"
#include "telemetry/log.h"

namespace penstock::gateway {

// A file of mode 0600 that is there whole or not at all, on the disk when the call returns.
// Blocking.
Result<void> write_whole(const std::filesystem::path& path, std::string_view bytes);
Result<void> remove_durably(const std::filesystem::path& path);  // also where it is not there
Result<std::string> read_whole(const std::filesystem::path& path);

// Where a gateway keeps its snapshot while the server is away (outage.h). What the snapshot says of
// leases is true only while none of them is given back, no record that the spool holds is
// forgotten, and no line of a batch is reported: whoever is about to do so makes sure that there is
// no snapshot (let_go(), then is_clear() without waiting in between).
class OutageFile {
  public:
    OutageFile(
        io::Executor executor, io::Pool& pool, telemetry::Logger log, std::filesystem::path path
    );

    // Nothing lies on the disk, and nothing is being written.
    bool is_clear() const { return !there_; }
    // From now on it is not clear. Until the writing ends: no other one begins.
    class Writing;
    bool is_busy() const { return busy_; }
    // `print` runs on a thread. False: it could not be written; then nothing is there.
    io::Task<bool> write(Writing* writing, std::function<std::string()> print);
    // True: nothing is there.
    io::Task<bool> let_go();

  private:
    io::Pool& pool_;
    telemetry::Logger log_;
    std::filesystem::path path_;
    bool there_ = false;
    bool busy_ = false;
    io::Event idle_;
};

// While it lives, its owner may compose and write; begun without waiting, so that nothing is given
// back between the two.
class OutageFile::Writing {
  public:
    explicit Writing(OutageFile& file);  // CHECKs that the file is not busy
    ~Writing();
    Writing(const Writing&) = delete;
    Writing& operator=(const Writing&) = delete;

  private:
    OutageFile& file_;
};

}  // namespace penstock::gateway
