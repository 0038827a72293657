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
//
// Where the file system overwrites in place, room is laid out beforehand and mapped into memory, so
// that a record costs a copy and no system call; behind the records the file is zeros then. No
// record ends in a zero: text_end() finds the end after a crash. Elsewhere (copy on write could run
// out of room under a mapping), and beyond the room, records are written.
class SpoolSegment {
  public:
    // `room` bytes are laid out. The file must be new.
    static Result<SpoolSegment> create(const std::filesystem::path& path, std::size_t room);
    SpoolSegment() = default;
    ~SpoolSegment();
    SpoolSegment(SpoolSegment&& other) noexcept;
    SpoolSegment& operator=(SpoolSegment&& other) noexcept;

    // How many of the bytes were taken: fewer than given when the disk is full; errno tells why.
    std::size_t append(std::string_view bytes);
    std::uint64_t size() const { return size_; }
    bool is_mapped() const { return map_ != nullptr; }
    int file() const { return file_; }  // negative: there is none
    // Cuts off what was laid out and not used, and closes the file. It is then not written any
    // more.
    void finish();

    // Where the records end in the text of a segment.
    static std::size_t text_end(std::string_view text);

  private:
    void map(std::size_t room);

    int file_ = -1;
    char* map_ = nullptr;
    std::size_t room_ = 0;
    std::uint64_t size_ = 0;
};

}  // namespace penstock::gateway
