// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <openssl/types.h>

#include <cstdint>
#include <filesystem>
#include <string>
#include <string_view>

#include "base/result.h"

namespace penstock::server {

// A failed write to the state directory: resource_exhausted where the disk is full, else
// unavailable.
std::unexpected<Error> disk_error(const std::filesystem::path& path, int number);

// A file that is written, hashed, and then is whole under its name or not there: it is removed
// unless finish() renamed it. Blocking; for threads of a pool.
class IncomingFile {
  public:
    explicit IncomingFile(std::filesystem::path path);
    ~IncomingFile();
    IncomingFile(const IncomingFile&) = delete;
    IncomingFile& operator=(const IncomingFile&) = delete;

    Result<void> write(std::string_view bytes);
    std::uint64_t bytes() const { return bytes_; }
    std::string hash();  // SHA-256 in hex, of all that was written; once
    // Synced, renamed, and the folder synced as well.
    Result<void> finish(const std::filesystem::path& target);

  private:
    std::filesystem::path path_;
    EVP_MD_CTX* digest_;
    int fd_ = -1;
    std::uint64_t bytes_ = 0;
    bool done_ = false;
};

// Writes `bytes` at `offset` of a file, which is made where it is not there, and syncs it.
Result<void> write_durably(
    const std::filesystem::path& path, std::uint64_t offset, std::string_view bytes
);

}  // namespace penstock::server
