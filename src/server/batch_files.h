// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <filesystem>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "base/result.h"
#include "batches/input_check.h"
#include "batches/results.h"
#include "server/durable_file.h"

// Reading and making the files of one batch. Blocking: for threads of a pool.
namespace penstock::server {

Result<batches::CheckedInput> check_input_file(
    const std::filesystem::path& path, const std::string& endpoint
);

struct ResultSeen {
    batches::ResultKind kind = batches::ResultKind::output;
    std::int64_t line = 0;
};
// The records in the first `bytes` of a results file.
Result<std::vector<ResultSeen>> read_results_file(
    const std::filesystem::path& path, std::int64_t bytes
);

// What the files of a batch that ends are made from.
struct OutputPlan {
    std::filesystem::path results;
    std::int64_t results_bytes = 0;
    // Only where lines that never ran get errors, as of a batch that has expired or was cancelled:
    std::filesystem::path input;
    std::string endpoint;
    BatchId batch_id;
    std::vector<bool> ended;  // by line; empty: lines that never ran get none
    bool cancelled = false;   // else its time was over
};
// Writes both; returns how many lines the output and the error file have.
struct OutputLines {
    std::int64_t output = 0;
    std::int64_t error = 0;
};
Result<OutputLines> write_outputs(
    const OutputPlan& plan, IncomingFile& output, IncomingFile& error
);

// The text of line `number`, when line `from` begins at byte `at`; and where the next one begins.
struct LineText {
    std::string text;
    std::uint64_t next_at = 0;
};
Result<LineText> read_line_at(
    const std::filesystem::path& path, std::uint64_t at, std::int64_t from, std::int64_t number
);

}  // namespace penstock::server
