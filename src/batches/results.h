// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "base/result.h"
#include "model/batch.h"

// The results file of a batch, and the lines that users get.
//     file   = *record
//     record = kind " " line " " [text] LF
//     kind   = "o" | "e" | "r"      ; the line succeeded, it failed, its try is over
//     line   = 1*DIGIT              ; from 0
//     text   = a line of the output or the error file; none for "r"
namespace penstock::batches {

enum class ResultKind : char { output = 'o', error = 'e', retry = 'r' };

struct ResultRecord {
    ResultKind kind = ResultKind::output;
    std::int64_t line = 0;
    std::string_view text;  // within what was read
};

void append_record(std::string& out, ResultKind kind, std::int64_t line, std::string_view text);
// Reads the record that `rest` begins with and takes it off. internal: it is damaged.
Result<ResultRecord> next_record(std::string_view& rest);

// {"id":"batch_req_…","custom_id":…,"response":{"status_code":…,"request_id":…,"body":…},"error":null}
// `body` is JSON; what is not becomes a string. One line, without a line feed.
std::string answer_line(const LineReport& report, RequestId record_id);
// {"id":…,"custom_id":…,"response":null,"error":{"code":…,"message":…}}
std::string error_line(
    std::string_view custom_id, RequestId record_id, std::string_view code, std::string_view message
);

}  // namespace penstock::batches
