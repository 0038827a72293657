// SPDX-License-Identifier: Apache-2.0
#include "http/sse.h"

#include <fmt/format.h>
#ifdef __SSE2__
#include <emmintrin.h>
#endif

#include <algorithm>
#include <bit>
#include <charconv>

namespace penstock::http {
namespace {

constexpr std::string_view kByteOrderMark = "\xEF\xBB\xBF";

// Where the next CR or LF stands, or npos. The library's find_first_of() makes a call for each
// byte.
std::size_t find_line_break(std::string_view text, std::size_t from) {
    const auto is_break = [](char c) { return c == '\n' || c == '\r'; };
#ifdef __SSE2__
    constexpr std::size_t kRunBytes = 16;
    for (; from + kRunBytes <= text.size(); from += kRunBytes) {
        const __m128i run = _mm_loadu_si128(reinterpret_cast<const __m128i*>(text.data() + from));
        const __m128i breaks = _mm_or_si128(
            _mm_cmpeq_epi8(run, _mm_set1_epi8('\n')), _mm_cmpeq_epi8(run, _mm_set1_epi8('\r'))
        );
        if (const auto mask = static_cast<unsigned>(_mm_movemask_epi8(breaks)); mask != 0)
            return from + static_cast<std::size_t>(std::countr_zero(mask));
    }
#endif
    while (from < text.size() && !is_break(text[from])) ++from;
    return from < text.size() ? from : std::string_view::npos;
}

std::string one_line(std::string_view text) {
    std::string line(text);
    std::ranges::replace_if(line, [](char c) { return c == '\n' || c == '\r' || c == '\0'; }, ' ');
    return line;
}

// "name: line" for each line of the text.
void print_lines(std::string& out, std::string_view name, std::string_view text) {
    while (true) {
        const std::size_t end = find_line_break(text, 0);
        out.append(name).append(": ").append(text.substr(0, end)).append("\n");
        if (end == std::string_view::npos) return;
        text.remove_prefix(text.substr(end).starts_with("\r\n") ? end + 2 : end + 1);
    }
}

}  // namespace

std::string print_sse(const SseMessage& message) {
    std::string out;
    out.reserve(message.data.size() + 64);
    if (!message.event.empty()) out += "event: " + one_line(message.event) + "\n";
    if (!message.id.empty()) out += "id: " + one_line(message.id) + "\n";
    if (message.retry_ms) out += fmt::format("retry: {}\n", *message.retry_ms);
    print_lines(out, "data", message.data);
    return out += "\n";
}

std::string print_sse_comment(std::string_view text) {
    std::string out;
    print_lines(out, "", text);
    return out += "\n";
}

io::Task<Result<void>> SseWriter::send(SseMessage message) {
    const std::string bytes = print_sse(message);
    co_return co_await writer_.write(bytes);
}

io::Task<Result<void>> SseWriter::comment(std::string text) {
    const std::string bytes = print_sse_comment(text);
    co_return co_await writer_.write(bytes);
}

Result<void> SseParser::feed(std::string_view bytes) {
    TRY(check_size());
    begin_at_front();
    buffer_.append(bytes);
    return {};
}

Result<void> SseParser::lend(std::string_view bytes) {
    TRY(check_size());
    begin_at_front();
    if (buffer_.empty())
        lent_ = bytes;
    else
        buffer_.append(bytes);
    return {};
}

Result<void> SseParser::check_size() const {
    if (text().size() - event_begin_ <= event_bytes_max_) return {};
    return fail(
        ErrorCode::resource_exhausted,
        fmt::format("a server-sent event is larger than {} bytes", event_bytes_max_)
    );
}

void SseParser::own() {
    begin_at_front();
    if (buffer_.empty()) std::string().swap(buffer_);
}

// What was given out is done with; an event in progress moves to the front of the buffer.
void SseParser::begin_at_front() {
    if (given_) begin_event();
    if (lent_.empty())
        buffer_.erase(0, event_begin_);
    else
        buffer_.assign(lent_.substr(event_begin_));
    lent_ = {};
    line_begin_ -= event_begin_;
    scanned_ -= event_begin_;
    data_begin_ -= std::min(data_begin_, event_begin_);
    event_begin_ = 0;
}

std::optional<SseParser::Event> SseParser::next() {
    if (given_) begin_event();
    if (at_start_ && !skip_byte_order_mark()) return std::nullopt;
    while (const std::optional<std::string_view> line = next_line()) {
        if (!line->empty()) {
            take_field(*line);
            continue;
        }
        const std::string_view raw = text().substr(event_begin_, line_begin_ - event_begin_);
        event_begin_ = line_begin_;
        if (data_lines_ == 0) {
            begin_event();
            continue;
        }
        given_ = true;
        const std::string_view only = text().substr(data_begin_, data_size_);
        return Event{
            .event = event_,
            .data = data_lines_ == 1 ? only : std::string_view(data_),
            .id = id_,
            .retry_ms = retry_ms_,
            .raw = raw
        };
    }
    return std::nullopt;
}

bool SseParser::has_partial() const { return event_begin_ < text().size(); }

void SseParser::begin_event() {
    given_ = false;
    data_lines_ = 0;
    data_.clear();
    event_.clear();
    retry_ms_.reset();
}

// False while it cannot be told whether there is one.
bool SseParser::skip_byte_order_mark() {
    if (text().size() < kByteOrderMark.size() && kByteOrderMark.starts_with(text())) return false;
    at_start_ = false;
    if (text().starts_with(kByteOrderMark)) line_begin_ = scanned_ = kByteOrderMark.size();
    return true;
}

// The next whole line without its break. A CR ends a line at once, without waiting for what
// follows; an LF right after it belongs to the same break.
std::optional<std::string_view> SseParser::next_line() {
    const std::string_view text = this->text();
    if (after_cr_ && line_begin_ < text.size()) {
        after_cr_ = false;
        if (text[line_begin_] == '\n') scanned_ = ++line_begin_;
    }
    const std::size_t end = find_line_break(text, scanned_);
    if (end == std::string_view::npos) {
        scanned_ = text.size();
        return std::nullopt;
    }
    const std::string_view line = text.substr(line_begin_, end - line_begin_);
    const bool pair = text[end] == '\r' && end + 1 < text.size() && text[end + 1] == '\n';
    after_cr_ = text[end] == '\r' && end + 1 == text.size();
    scanned_ = line_begin_ = end + (pair ? 2 : 1);
    return line;
}

void SseParser::take_field(std::string_view line) {
    const std::size_t colon = line.find(':');
    if (colon == 0) return;  // a comment
    const std::string_view name = line.substr(0, colon);
    std::string_view value =
        colon == std::string_view::npos ? std::string_view() : line.substr(colon + 1);
    if (value.starts_with(' ')) value.remove_prefix(1);
    if (name == "data") {
        take_data(value);
    } else if (name == "event") {
        event_ = value;
    } else if (name == "id") {
        if (!value.contains('\0')) id_ = value;
    } else if (name == "retry") {
        std::int64_t retry = 0;
        const auto [end, error] = std::from_chars(value.data(), value.data() + value.size(), retry);
        if (error == std::errc() && end == value.data() + value.size() && retry >= 0)
            retry_ms_ = retry;
    }
}

// The usual single line stays where it is; from the second on they are joined.
void SseParser::take_data(std::string_view value) {
    if (++data_lines_ == 1) {
        data_begin_ =
            value.empty() ? line_begin_ : static_cast<std::size_t>(value.data() - text().data());
        data_size_ = value.size();
        return;
    }
    if (data_lines_ == 2) data_ = text().substr(data_begin_, data_size_);
    data_ += '\n';
    data_ += value;
}

}  // namespace penstock::http
