// SPDX-License-Identifier: Apache-2.0
#include "batches/input_check.h"

namespace penstock::batches {

bool is_blank(std::string_view line) {
    return line.find_first_not_of(" \t\r") == std::string_view::npos;
}

std::vector<std::string_view> lines_of(std::string_view text) {
    std::vector<std::string_view> lines;
    while (!text.empty()) {
        const std::size_t end = text.find('\n');
        const std::string_view line = text.substr(0, end);
        if (!is_blank(line)) lines.push_back(line);
        text.remove_prefix(end == std::string_view::npos ? text.size() : end + 1);
    }
    return lines;
}

void InputCheck::feed(std::string_view piece) {
    while (!piece.empty()) {
        const std::size_t end = piece.find('\n');
        const std::string_view part = piece.substr(0, end);
        const bool is_over = rest_.size() + part.size() > kLineBytesMax;
        if (is_over && !too_long_) {
            too_long_ = true;
            rest_.clear();
        }
        if (!too_long_) rest_.append(part);
        if (end == std::string_view::npos) return;
        const std::string line = std::move(rest_);
        rest_.clear();
        take_line(line);
        piece.remove_prefix(end + 1);
    }
}

CheckedInput InputCheck::finish() {
    if (!rest_.empty() || too_long_) {
        const std::string line = std::move(rest_);
        take_line(line);
    }
    if (input_.lines == 0 && input_.faults.empty())
        input_.faults.push_back(
            {.code = "empty_file",
             .message = "the file has no line: put one call on each line, as JSON"}
        );
    return std::move(input_);
}

void InputCheck::add_fault(BatchFault fault) {
    if (full()) return;
    fault.line = line_number_;
    fault.message = "line " + std::to_string(line_number_) + ": " + fault.message;
    input_.faults.push_back(std::move(fault));
}

void InputCheck::take_line(std::string_view line) {
    ++line_number_;
    const std::uint64_t at = line_at_;
    // What was too long was not kept; its length does not matter, since the batch cannot run.
    line_at_ += line.size() + 1;
    if (too_long_) {
        too_long_ = false;
        return add_fault(
            {.code = "line_too_large",
             .message = "a line has at most " + std::to_string(kLineBytesMax) + " bytes"}
        );
    }
    if (is_blank(line) || full()) return;
    if (input_.lines == kLinesMax)
        return add_fault(
            {.code = "too_many_lines",
             .message =
                 "a batch has at most " + std::to_string(kLinesMax) + " lines: split the file"}
        );
    if (input_.lines % kIndexEvery == 0) input_.index.push_back(at);
    ++input_.lines;
    std::expected<InputLine, BatchFault> read = read_line(line, endpoint_);
    if (!read) return add_fault(std::move(read.error()));
    if (!custom_ids_.insert(read->custom_id).second)
        return add_fault(
            {.code = "duplicate_custom_id",
             .message = "custom_id: '" + read->custom_id + "' stands on an earlier line as well",
             .param = "custom_id"}
        );
    if (input_.model.empty()) input_.model = read->model;
    if (read->model != input_.model)
        add_fault(
            {.code = "mismatched_model",
             .message = "body.model: '" + read->model +
                        "' is not the model of the lines before, '" + input_.model +
                        "': put other models' lines in another batch",
             .param = "body.model"}
        );
}

}  // namespace penstock::batches
