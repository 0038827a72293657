// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "agent/attempt_record.h"
#include "base/guarded.h"
#include "base/result.h"
#include "drivers/files.h"

namespace penstock::agent {

// The agent's memory on disk, below one directory of mode 0700: `attempts/ID.json`, one per
// attempt, and `sequence`, above which no report was ever numbered. Every call blocks; any thread
// may call. Records of one attempt are saved by one caller at a time.
class AttemptStore {
  public:
    // Report numbers are reserved in blocks, so that not every report costs a second sync.
    static constexpr std::int64_t kSequenceBlock = 1024;

    // conflict: another agent works here.
    static Result<AttemptStore> open(const std::string& directory);

    // A file that cannot be read is set aside as `ID.json.unreadable` and named in `warnings`.
    Result<std::vector<AttemptRecord>> load(std::vector<std::string>& warnings);
    // Durable when it returns, with every number of its reports.
    Result<void> save(const AttemptRecord& record);
    Result<void> remove(const AttemptId& id);
    // No report above it was numbered before this start.
    std::int64_t sequence() const { return first_sequence_; }
    const std::string& directory() const { return directory_; }

  private:
    AttemptStore(std::string directory, drivers::FileDescriptor lock, std::int64_t sequence);
    std::string path_of(const AttemptId& id) const;

    std::string directory_;
    drivers::FileDescriptor lock_;
    std::int64_t first_sequence_ = 0;
    std::unique_ptr<Guarded<std::int64_t>> reserved_;
};

}  // namespace penstock::agent
