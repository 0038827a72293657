// SPDX-License-Identifier: Apache-2.0
#include "server/batch_files.h"

#include <fstream>

#include "batches/line_book.h"

namespace penstock::server {
namespace {

constexpr std::size_t kPieceBytes = 256UL * 1024;

std::unexpected<Error> unreadable(const std::filesystem::path& path) {
    return fail(ErrorCode::unavailable, "cannot read " + path.string());
}

// Calls `take` with every record of the first `bytes`.
template <class Take>
Result<void> for_each_record(const std::filesystem::path& path, std::int64_t bytes, Take take) {
    if (bytes == 0) return {};
    std::ifstream file(path, std::ios::binary);
    std::string line;
    while (bytes > 0) {
        if (!std::getline(file, line)) return unreadable(path);
        line += '\n';
        bytes -= static_cast<std::int64_t>(line.size());
        std::string_view rest = line;
        TRY(take(TRY(batches::next_record(rest))));
    }
    return {};
}

Result<void> write_line(IncomingFile& file, std::string_view text) {
    TRY(file.write(text));
    return file.write("\n");
}

// Of lines that nobody ran, or whose end nobody waited for.
Result<std::int64_t> write_unfinished(const OutputPlan& plan, IncomingFile& error) {
    constexpr std::string_view kExpired =
        "This request could not be executed before the completion window expired.";
    constexpr std::string_view kCancelled =
        "This request was not completed before the batch was cancelled.";
    std::ifstream file(plan.input, std::ios::binary);
    std::string text;
    std::int64_t number = -1;
    std::int64_t lines = 0;
    while (std::getline(file, text)) {
        if (batches::is_blank(text)) continue;
        if (++number >= static_cast<std::int64_t>(plan.ended.size())) break;
        if (plan.ended[static_cast<std::size_t>(number)]) continue;
        const auto line = batches::read_line(text, plan.endpoint);
        TRY(write_line(
            error, batches::error_line(
                       line ? line->custom_id : std::string(),
                       batches::record_id_of({plan.batch_id, number, 1}),
                       plan.cancelled ? "batch_cancelled" : "batch_expired",
                       plan.cancelled ? kCancelled : kExpired
                   )
        ));
        ++lines;
    }
    return lines;
}

}  // namespace

Result<batches::CheckedInput> check_input_file(
    const std::filesystem::path& path, const std::string& endpoint
) {
    std::ifstream file(path, std::ios::binary);
    if (!file) return unreadable(path);
    batches::InputCheck check(endpoint);
    std::string piece(kPieceBytes, '\0');
    while (file) {
        file.read(piece.data(), static_cast<std::streamsize>(piece.size()));
        check.feed(std::string_view(piece).substr(0, static_cast<std::size_t>(file.gcount())));
    }
    if (file.bad()) return unreadable(path);
    return check.finish();
}

Result<std::vector<ResultSeen>> read_results_file(
    const std::filesystem::path& path, std::int64_t bytes
) {
    std::vector<ResultSeen> seen;
    TRY(for_each_record(path, bytes, [&](const batches::ResultRecord& record) {
        seen.push_back({record.kind, record.line});
        return Result<void>{};
    }));
    return seen;
}

Result<OutputLines> write_outputs(
    const OutputPlan& plan, IncomingFile& output, IncomingFile& error
) {
    OutputLines lines;
    TRY(for_each_record(
        plan.results, plan.results_bytes,
        [&](const batches::ResultRecord& record) -> Result<void> {
            if (record.kind == batches::ResultKind::retry) return {};
            const bool good = record.kind == batches::ResultKind::output;
            ++(good ? lines.output : lines.error);
            return write_line(good ? output : error, record.text);
        }
    ));
    if (!plan.ended.empty()) lines.error += TRY(write_unfinished(plan, error));
    return lines;
}

Result<LineText> read_line_at(
    const std::filesystem::path& path, std::uint64_t at, std::int64_t from, std::int64_t number
) {
    std::ifstream file(path, std::ios::binary);
    file.seekg(static_cast<std::streamoff>(at));
    LineText line{.next_at = at};
    while (std::getline(file, line.text)) {
        line.next_at += line.text.size() + 1;
        if (batches::is_blank(line.text)) continue;
        if (from++ == number) return line;
    }
    return unreadable(path);
}

}  // namespace penstock::server
