// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <string_view>

#include "base/result.h"

namespace penstock::gateway {

// The spool's file that is being written. What append() took is in the system's hands: it survives
// the end of this process, and is on the disk after an fdatasync of file().
class SpoolSegment {
  public:
    // The file must be new.
    static Result<SpoolSegment> create(const std::filesystem::path& path);
    SpoolSegment() = default;
    ~SpoolSegment();
    SpoolSegment(SpoolSegment&& other) noexcept;
    SpoolSegment& operator=(SpoolSegment&& other) noexcept;

    // How many of the bytes were taken: fewer than given when the disk is full; errno tells why.
    std::size_t append(std::string_view bytes);
    std::uint64_t size() const { return size_; }
    int file() const { return file_; }  // negative: there is none
    // Closes the file. It is then not written any more.
    void finish();

    // Where the records end in the text of a segment. No record ends in a zero; a file system that
    // lost its power may have given a file a length without its last bytes, which are zeros then.
    static std::size_t text_end(std::string_view text);

  private:
    int file_ = -1;
    std::uint64_t size_ = 0;
};

}  // namespace penstock::gateway
