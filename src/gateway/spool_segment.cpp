// SPDX-License-Identifier: Apache-2.0
#include "gateway/spool_segment.h"

#include <fcntl.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <utility>

namespace penstock::gateway {

Result<SpoolSegment> SpoolSegment::create(const std::filesystem::path& path) {
    SpoolSegment segment;
    segment.file_ = ::open(path.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
    if (segment.file_ < 0)
        return fail(
            ErrorCode::internal, "cannot create " + path.string() + ": " + std::strerror(errno)
        );
    return segment;
}

SpoolSegment::~SpoolSegment() { finish(); }

SpoolSegment::SpoolSegment(SpoolSegment&& other) noexcept
    : file_(std::exchange(other.file_, -1)), size_(other.size_) {}

SpoolSegment& SpoolSegment::operator=(SpoolSegment&& other) noexcept {
    if (this == &other) return *this;
    finish();
    file_ = std::exchange(other.file_, -1);
    size_ = other.size_;
    return *this;
}

std::size_t SpoolSegment::append(std::string_view bytes) {
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
    if (file_ >= 0) ::close(file_);
    file_ = -1;
}

std::size_t SpoolSegment::text_end(std::string_view text) {
    const std::size_t last = text.find_last_not_of('\0');
    return last == std::string_view::npos ? 0 : last + 1;
}

}  // namespace penstock::gateway
