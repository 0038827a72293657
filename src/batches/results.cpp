// SPDX-License-Identifier: Apache-2.0
#include "batches/results.h"

#include <algorithm>
#include <charconv>

#include "routing/json_scanner.h"

namespace penstock::batches {
namespace {

std::unexpected<Error> damaged() {
    return fail(ErrorCode::internal, "a results file of a batch is damaged");
}

std::string begin_line(std::string_view custom_id, RequestId record_id) {
    std::string line = R"({"id":"batch_req_)" + to_string(record_id.raw()) + R"(","custom_id":)";
    routing::append_json_string(line, custom_id);
    return line;
}

bool is_json(std::string_view text) {
    routing::JsonScanner scan(text, routing::JsonScanner::Text::lenient);
    return scan.skip() && scan.finish();
}

}  // namespace

void append_record(std::string& out, ResultKind kind, std::int64_t line, std::string_view text) {
    out += static_cast<char>(kind);
    out.append(" ").append(std::to_string(line)).append(" ").append(text).append("\n");
}

Result<ResultRecord> next_record(std::string_view& rest) {
    const std::size_t end = rest.find('\n');
    if (end == std::string_view::npos) return damaged();
    std::string_view text = rest.substr(0, end);
    if (text.size() < 4 || text[1] != ' ' || std::string_view("oer").find(text[0]) == text.npos)
        return damaged();
    ResultRecord record{.kind = static_cast<ResultKind>(text[0])};
    text.remove_prefix(2);
    const auto [stop, error] = std::from_chars(text.data(), text.data() + text.size(), record.line);
    if (error != std::errc() || record.line < 0 || stop == text.data() + text.size() ||
        *stop != ' ')
        return damaged();
    text.remove_prefix(static_cast<std::size_t>(stop - text.data()) + 1);
    record.text = text;
    rest.remove_prefix(end + 1);
    return record;
}

std::string answer_line(const LineReport& report, RequestId record_id) {
    std::string line = begin_line(report.custom_id, record_id);
    line += R"(,"response":{"status_code":)" + std::to_string(report.status) +
            R"(,"request_id":")" + to_string(record_id) + R"(","body":)";
    const std::size_t body = line.size();
    if (is_json(report.body))
        line += report.body;
    else
        routing::append_json_string(line, report.body);
    // Between JSON's words line breaks are white space; within strings they cannot stand.
    std::replace_if(
        line.begin() + static_cast<std::ptrdiff_t>(body), line.end(),
        [](char c) { return c == '\n' || c == '\r'; }, ' '
    );
    return line + R"(},"error":null})";
}

std::string error_line(
    std::string_view custom_id, RequestId record_id, std::string_view code, std::string_view message
) {
    std::string line = begin_line(custom_id, record_id);
    line += R"(,"response":null,"error":{"code":)";
    routing::append_json_string(line, code);
    line += R"(,"message":)";
    routing::append_json_string(line, message);
    return line + "}}";
}

}  // namespace penstock::batches
