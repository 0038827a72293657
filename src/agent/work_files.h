// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "drivers/driver.h"
#include "model/task.h"

// What happens in an attempt's work directory outside of its run. What lies there is the task's, so
// it is opened step by step and no link is followed. Everything here blocks.
namespace penstock::agent {

// Makes a folder and those above it, below `work_dir`. conflict: something else is in the way.
Result<void> make_folder(const std::string& work_dir, std::string_view relative);

// Moves `file` to `relative` below `work_dir`, replacing what is there; its folders are made.
Result<void> place_file(
    const std::string& work_dir, const std::string& relative, const std::string& file
);

constexpr std::size_t kOutputFilesMax = 10'000;  // of one attempt
constexpr std::int64_t kOutputBytesMax = std::int64_t{1}
                                         << 30;  // of one file, as the server's blobs

struct OutputList {
    std::vector<std::string> files;    // relative, sorted, each once
    std::vector<std::string> missing;  // required patterns that matched nothing
    std::vector<std::string> remarks;  // what was left out, and why
};
OutputList list_outputs(const std::vector<OutputSpec>& outputs, const std::string& work_dir);

// The last lines of an attempt's log, of which everything up to byte `known` was read before.
std::string last_lines(drivers::Driver& driver, const std::string& attempt_id, std::int64_t known);
constexpr std::size_t kLastLinesMax = 8;

// A TCP port that nothing listens on now. Another program may take it before the task does.
Result<std::int64_t> free_port(const std::string& address);

}  // namespace penstock::agent
