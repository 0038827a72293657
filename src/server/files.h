// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <filesystem>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "http/message.h"
#include "io/event.h"
#include "io/pool.h"
#include "io/task.h"
#include "model/task.h"

namespace penstock::server {

constexpr std::size_t kBlobBytesMax = std::size_t{1} << 30;

// Files by content hash below the state directory: archives of work directories, checkpoints,
// outputs. A blob is whole or absent: it is written beside, synced, checked against its name, then
// renamed.
class BlobStore {
  public:
    BlobStore(std::filesystem::path directory, io::Pool& pool)
        : directory_(std::move(directory)), pool_(pool) {}
    Result<void> open();
    // Reads the request's body to its end. invalid_argument when it does not hash to `sha256`.
    io::Task<Result<void>> receive(std::string sha256, http::BodyReader reader);
    bool contains(std::string_view sha256) const;
    std::filesystem::path path_of(std::string_view sha256) const;

  private:
    std::filesystem::path directory_;
    io::Pool& pool_;
    std::uint64_t next_temporary_ = 0;
};
bool is_sha256(std::string_view text);

constexpr std::size_t kLogLineBytesMax = 16UL * 1024;
constexpr std::int64_t kLogLinesPerTaskMax = 1'000'000;

// The logs of tasks: one append-only file a task, one JSON line per log line, so that the cursor is
// the line's number. Lines are kept in the order of their arrival; a repeated batch is recognised
// by its attempt and offset.
class LogStore {
  public:
    LogStore(std::filesystem::path directory, io::Pool& pool, const io::Executor& executor)
        : directory_(std::move(directory)), pool_(pool), idle_(executor), appended_(executor) {}
    Result<void> open();
    // Appends what is new of `lines`, whose first has `offset` in its attempt. Returns the number
    // of lines of that attempt that are stored now. Durable when it returns.
    io::Task<Result<std::int64_t>> append(
        TaskId task, AttemptId attempt, std::int64_t offset, std::vector<LogLine> lines
    );
    // Lines after `cursor`, oldest first.
    Result<std::vector<LogLine>> read(
        TaskId task, std::int64_t cursor, std::optional<std::int64_t> item, std::size_t limit
    );
    std::int64_t last_cursor(TaskId task);
    // True: some task got lines. False: the deadline passed.
    io::Task<bool> wait(io::Deadline deadline) { return appended_.wait(deadline); }

  private:
    struct File {
        std::int64_t lines = 0;
        std::vector<std::uint64_t> offsets;  // byte offset of every kIndexEvery-th line
        std::uint64_t bytes = 0;
        std::map<AttemptId, std::int64_t> stored;  // lines per attempt
        bool writing = false;
    };
    static constexpr std::int64_t kIndexEvery = 256;
    std::filesystem::path path_of(TaskId task) const;
    Result<File*> file_of(TaskId task);

    std::filesystem::path directory_;
    io::Pool& pool_;
    io::Event idle_;  // some file is no longer being written
    io::Event appended_;
    std::map<TaskId, File> files_;
};

}  // namespace penstock::server
