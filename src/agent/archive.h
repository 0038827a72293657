// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <string>

#include "agent/content_hash.h"
#include "base/result.h"

// Directories as tar archives: a task's workdir and its checkpoints. What is unpacked came from
// somebody else, so nothing in it is believed. Everything here blocks.
namespace penstock::agent {

constexpr std::int64_t kUnpackBytesMax = std::int64_t{8} << 30;
constexpr std::int64_t kPackBytesMax = std::int64_t{1} << 30;  // what the server's blobs hold
constexpr std::int64_t kArchiveEntriesMax = 200'000;
constexpr std::size_t kArchiveDepthMax = 64;
constexpr std::size_t kArchivePathBytesMax = 4096;

struct UnpackLimits {
    std::int64_t bytes_max = kUnpackBytesMax;
    std::int64_t entries_max = kArchiveEntriesMax;
};
// Unpacks a tar archive, plain or compressed by gzip or zstd, into a directory that exists. Files
// that are there already are replaced. Refused, with what was unpacked before left in place:
// absolute paths,
// "..", links that lead out, devices, sockets, and more than the limits. Owners, set-id bits and
// times are not taken over.
Result<void> unpack(
    const std::string& archive, const std::string& directory, UnpackLimits limits = {}
);

struct PackOptions {
    // Leaves out what is not complete yet by convention: names that end in ".tmp" or begin with a
    // dot.
    bool only_complete = false;
    std::int64_t bytes_max = kPackBytesMax;
};
// Packs everything below a directory. The same content and times give the same bytes. conflict: a
// file changed while it was read, so it was not written aside and renamed. Links that lead out and
// special files are left out.
Result<HashedFile> pack(
    const std::string& directory, const std::string& archive, PackOptions options = {}
);

}  // namespace penstock::agent
