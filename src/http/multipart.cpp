// SPDX-License-Identifier: Apache-2.0
#include "http/multipart.h"

#include <algorithm>

#include "http/headers.h"

namespace penstock::http {
namespace {

using Event = MultipartReader::Event;

std::unexpected<Error> wrong(std::string message) {
    return fail_field(ErrorCode::invalid_argument, "body", std::move(message));
}

std::string_view trimmed(std::string_view text) {
    while (!text.empty() && (text.front() == ' ' || text.front() == '\t')) text.remove_prefix(1);
    while (!text.empty() && (text.back() == ' ' || text.back() == '\t')) text.remove_suffix(1);
    return text;
}

// The value of `name` among "; name=value; other=\"value\""; quotes and their escapes are taken
// off.
std::optional<std::string> parameter(std::string_view text, std::string_view name) {
    while (!text.empty()) {
        const std::size_t equals = text.find('=');
        if (equals == std::string_view::npos) return std::nullopt;
        std::string_view key = text.substr(0, equals);
        key = trimmed(key.substr(std::min(key.size(), key.find_last_of(';') + 1)));
        text = text.substr(equals + 1);
        std::string value;
        if (text.starts_with('"')) {
            std::size_t at = 1;
            for (; at < text.size() && text[at] != '"'; ++at) {
                if (text[at] == '\\' && at + 1 < text.size()) ++at;
                value += text[at];
            }
            text.remove_prefix(std::min(text.size(), at + 1));
        } else {
            value = trimmed(text.substr(0, text.find(';')));
            text.remove_prefix(std::min(text.size(), text.find(';')));
        }
        if (equal_ignoring_case(key, name)) return value;
    }
    return std::nullopt;
}

}  // namespace

Result<std::string> MultipartReader::boundary_of(std::string_view content_type) {
    const std::string_view type = trimmed(content_type.substr(0, content_type.find(';')));
    if (!equal_ignoring_case(type, "multipart/form-data"))
        return fail_field(
            ErrorCode::invalid_argument, "Content-Type",
            "expected multipart/form-data with a boundary"
        );
    std::optional<std::string> boundary = parameter(content_type.substr(type.size()), "boundary");
    if (!boundary || boundary->empty() || boundary->size() > kBoundaryBytesMax)
        return fail_field(
            ErrorCode::invalid_argument, "Content-Type", "names no boundary of 1 to 70 characters"
        );
    return *std::move(boundary);
}

MultipartReader::MultipartReader(std::string_view boundary)
    : delimiter_("\r\n--" + std::string(boundary)) {}

void MultipartReader::feed(std::string_view bytes) {
    buffer_.erase(0, at_);
    at_ = 0;
    buffer_.append(bytes);
}

Result<Event> MultipartReader::next() {
    switch (state_) {
        case State::preamble: {
            const std::size_t found = buffer_.find(delimiter_, at_);
            if (found == std::string::npos) {
                // A delimiter may have begun at the end.
                at_ =
                    std::max(at_, buffer_.size() - std::min(buffer_.size(), delimiter_.size() - 1));
                return Event{};
            }
            at_ = found + delimiter_.size();
            state_ = State::delimiter;
            return read_delimiter();
        }
        case State::delimiter:
            return read_delimiter();
        case State::header:
            return read_header();
        case State::body:
            return read_body();
        case State::done:
            return Event{.kind = Event::Kind::end};
    }
    return Event{};
}

Result<Event> MultipartReader::read_delimiter() {
    const std::string_view rest = std::string_view(buffer_).substr(at_);
    if (rest.starts_with("--")) {
        state_ = State::done;
        return Event{.kind = Event::Kind::end};
    }
    const std::size_t blank = rest.find_first_not_of(" \t");
    if (std::min(blank, rest.size()) > kHeaderBytesMax)
        return wrong("a boundary's line does not end");
    if (blank == std::string_view::npos || rest.size() < blank + 2 || rest.size() < 2)
        return Event{};
    if (rest.substr(blank, 2) != "\r\n") return wrong("a boundary's line has something behind it");
    // The header begins with this line break, so that one without fields ends like any other.
    at_ += blank;
    state_ = State::header;
    return read_header();
}

Result<Event> MultipartReader::read_header() {
    const std::string_view rest = std::string_view(buffer_).substr(at_);
    const std::size_t end = rest.find("\r\n\r\n");
    // Three bytes of its end may be there already.
    const bool is_open = end == std::string_view::npos;
    if (is_open ? rest.size() > kHeaderBytesMax + 3 : end > kHeaderBytesMax)
        return wrong("a part's header is longer than 8 KiB");
    if (is_open) return Event{};
    // An empty part ends at once: its delimiter's line break is the header's last one.
    const std::string_view boundary = std::string_view(delimiter_).substr(2);
    const std::string_view behind = rest.substr(end + 4);
    const bool is_empty = behind.starts_with(boundary);
    if (!is_empty && boundary.starts_with(behind)) return Event{};
    if (++parts_ > kPartsMax) return wrong("there are more than 32 parts");
    std::string_view fields = rest.substr(0, end);
    Event event{.kind = Event::Kind::part};
    bool named = false;
    while (!fields.empty()) {
        fields.remove_prefix(2);
        const std::string_view line = fields.substr(0, fields.find("\r\n"));
        fields.remove_prefix(line.size());
        const std::size_t colon = line.find(':');
        if (colon == std::string_view::npos) return wrong("a part's header has a line without ':'");
        if (!equal_ignoring_case(trimmed(line.substr(0, colon)), "Content-Disposition")) continue;
        const std::string_view value = trimmed(line.substr(colon + 1));
        const std::size_t semicolon = std::min(value.size(), value.find(';'));
        const std::optional<std::string> name = parameter(value.substr(semicolon), "name");
        named = name.has_value();
        event.name = name.value_or("");
        event.filename = parameter(value.substr(semicolon), "filename");
    }
    if (!named) return wrong("a part's Content-Disposition has no name");
    at_ += end + (is_empty ? 2 : 4);
    state_ = State::body;
    return event;
}

Event MultipartReader::read_body() {
    const std::size_t found = buffer_.find(delimiter_, at_);
    if (found == at_) {
        at_ += delimiter_.size();
        state_ = State::delimiter;
        return {.kind = Event::Kind::part_end};
    }
    const std::size_t kept = std::min(buffer_.size(), delimiter_.size() - 1);
    const std::size_t until = found == std::string::npos ? buffer_.size() - kept : found;
    if (until <= at_) return {};
    const std::string_view data = std::string_view(buffer_).substr(at_, until - at_);
    at_ = until;
    return {.kind = Event::Kind::data, .data = data};
}

}  // namespace penstock::http
