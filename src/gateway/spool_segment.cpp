// SPDX-License-Identifier: Apache-2.0
#include "gateway/spool_segment.h"

#include <fcntl.h>
#include <linux/magic.h>
#include <sys/mman.h>
#include <sys/vfs.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <utility>

namespace penstock::gateway {
namespace {

// File systems on which a page that was laid out can always be written again.
bool overwrites_in_place(int file) {
    struct statfs status{};
    if (::fstatfs(file, &status) != 0) return false;
    return status.f_type == EXT4_SUPER_MAGIC || status.f_type == XFS_SUPER_MAGIC ||
           status.f_type == TMPFS_MAGIC;
}

}  // namespace

Result<SpoolSegment> SpoolSegment::create(const std::filesystem::path& path, std::size_t room) {
    SpoolSegment segment;
    segment.file_ = ::open(path.c_str(), O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
    if (segment.file_ < 0)
        return fail(
            ErrorCode::internal, "cannot create " + path.string() + ": " + std::strerror(errno)
        );
    if (overwrites_in_place(segment.file_)) segment.map(room);
    return segment;
}

// Without room (the disk is full, say) or a mapping, records are written.
void SpoolSegment::map(std::size_t room) {
    if (::fallocate(file_, 0, 0, static_cast<off_t>(room)) != 0) return;
    void* const map = ::mmap(nullptr, room, PROT_READ | PROT_WRITE, MAP_SHARED, file_, 0);
    if (map == MAP_FAILED) return;
    map_ = static_cast<char*>(map);
    room_ = room;
}

SpoolSegment::~SpoolSegment() { finish(); }

SpoolSegment::SpoolSegment(SpoolSegment&& other) noexcept
    : file_(std::exchange(other.file_, -1)),
      map_(std::exchange(other.map_, nullptr)),
      room_(other.room_),
      size_(other.size_) {}

SpoolSegment& SpoolSegment::operator=(SpoolSegment&& other) noexcept {
    if (this == &other) return *this;
    finish();
    file_ = std::exchange(other.file_, -1);
    map_ = std::exchange(other.map_, nullptr);
    room_ = other.room_;
    size_ = other.size_;
    return *this;
}

std::size_t SpoolSegment::append(std::string_view bytes) {
    if (map_ != nullptr && size_ + bytes.size() <= room_) {
        std::memcpy(map_ + size_, bytes.data(), bytes.size());
        size_ += bytes.size();
        return bytes.size();
    }
    std::size_t taken = 0;
    while (taken < bytes.size()) {
        const ssize_t put =
            ::pwrite(file_, bytes.data() + taken, bytes.size() - taken, static_cast<off_t>(size_));
        if (put < 0 && errno == EINTR) continue;
        if (put <= 0) break;
        taken += static_cast<std::size_t>(put);
        size_ += static_cast<std::uint64_t>(put);
    }
    return taken;
}

void SpoolSegment::finish() {
    if (map_ != nullptr) {
        ::munmap(map_, room_);
        map_ = nullptr;
        // Zeros that stay are read over.
        (void)::ftruncate(file_, static_cast<off_t>(size_));
    }
    if (file_ >= 0) ::close(file_);
    file_ = -1;
}

std::size_t SpoolSegment::text_end(std::string_view text) {
    const std::size_t last = text.find_last_not_of('\0');
    return last == std::string_view::npos ? 0 : last + 1;
}

}  // namespace penstock::gateway
