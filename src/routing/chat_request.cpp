// SPDX-License-Identifier: Apache-2.0
#include "routing/chat_request.h"

#include <algorithm>
#include <array>
#include <vector>

namespace penstock::routing {
namespace {

using Kind = JsonScanner::Kind;
using String = JsonScanner::String;

// The fields the gateway reads. A repeated one is refused: two parsers could take two values, and
// the engine's would be the one that costs.
enum class Field : std::uint8_t {
    model,
    messages,
    stream,
    stream_options,
    max_tokens,
    max_completion_tokens,
    n,
    best_of,
    n_predict,
    n_completions,
    tools,
    provider,
    models,
    session,
    prompt_cache_key
};
constexpr std::array<std::string_view, 15> kFieldNames{"model",
                                                       "messages",
                                                       "stream",
                                                       "stream_options",
                                                       "max_tokens",
                                                       "max_completion_tokens",
                                                       "n",
                                                       "best_of",
                                                       "n_predict",
                                                       "n_cmpl",
                                                       "tools",
                                                       "provider",
                                                       "models",
                                                       "session_id",
                                                       "prompt_cache_key"};

class ChatRequestScanner {
  public:
    explicit ChatRequestScanner(std::string_view body) : scan_(body) {}

    Result<ChatRequest> run() {
        if (scan_.peek() != Kind::object) return wrong("", "the body must be a JSON object");
        scan_.enter_object();
        request_.object_begin = scan_.offset();
        String key;
        while (scan_.next_member(key)) {
            if (!take(key)) break;
        }
        if (problem_) return std::unexpected(std::move(*problem_));
        if (!scan_.finish()) return wrong("", "the body is not valid JSON: " + scan_.problem());
        return complete();
    }

  private:
    static std::unexpected<Error> wrong(std::string field, std::string message) {
        return fail_field(ErrorCode::invalid_argument, std::move(field), std::move(message));
    }
    bool refuse(std::string field, std::string message) {
        // What is not JSON at all is told as such, not as a wrong value of one field.
        if (!scan_.failed())
            problem_ = Error{ErrorCode::invalid_argument, std::move(message), std::move(field)};
        return false;
    }

    // As refuse(), for a value that was not read yet: where there is none at all the text is
    // broken.
    bool refuse_kind(std::string field, std::string message) {
        return scan_.skip() && refuse(std::move(field), std::move(message));
    }

    bool take(const String& key) {
        const auto* name =
            std::ranges::find_if(kFieldNames, [&](auto n) { return scan_.equals(key, n); });
        if (name == kFieldNames.end()) return scan_.skip();
        const auto index = static_cast<std::size_t>(name - kFieldNames.begin());
        if (seen_[index])
            return refuse(std::string(*name), "'" + std::string(*name) + "' appears twice");
        seen_[index] = true;
        switch (static_cast<Field>(index)) {
            case Field::model:
                return take_model();
            case Field::messages:
                return take_messages();
            case Field::stream:
                return take_stream();
            case Field::stream_options:
                return take_stream_options();
            case Field::max_tokens:
            case Field::max_completion_tokens:
            case Field::n_predict:
                return take_output_bound(*name);
            case Field::n:
            case Field::best_of:
            case Field::n_completions:
                return take_choices(*name);
            case Field::tools:
                return take_tools();
            case Field::provider:
            case Field::models:
            case Field::session:
                return take_route_wish(*name, key.begin - 1);
            case Field::prompt_cache_key:
                return take_prompt_cache_key();
        }
        return false;
    }

    bool take_model() {
        if (scan_.peek() != Kind::string)
            return refuse_kind("model", "expected a string: the model's name");
        String value;
        if (!scan_.read_string(value)) return false;
        request_.model_value = {value.begin - 1, value.end + 1};
        request_.model = scan_.decode(value);
        if (request_.model.empty() || request_.model.size() > kModelBytesMax)
            return refuse(
                "model", "expected a name of 1 to " + std::to_string(kModelBytesMax) + " bytes"
            );
        return true;
    }

    bool take_stream() {
        if (scan_.peek() == Kind::null) return scan_.skip();
        const auto value = scan_.read_boolean();
        if (!value) return refuse("stream", "expected true or false");
        request_.stream = *value;
        return true;
    }

    bool take_stream_options() {
        const Kind kind = scan_.peek();
        const std::size_t begin = scan_.offset();
        if (kind == Kind::null) {
            request_.stream_options = ChatRequest::StreamOptions::null;
            return scan_.skip(&request_.stream_options_value);
        }
        if (kind != Kind::object) return refuse_kind("stream_options", "expected an object");
        request_.stream_options = ChatRequest::StreamOptions::object;
        scan_.enter_object();
        String key;
        while (scan_.next_member(key)) {
            request_.stream_options_empty = false;
            if (!scan_.equals(key, "include_usage")) {
                if (!scan_.skip()) return false;
                continue;
            }
            if (!take_include_usage()) return false;
        }
        request_.stream_options_value = {begin, scan_.offset()};
        return !scan_.failed();
    }

    bool take_include_usage() {
        if (!request_.include_usage_value.empty())
            return refuse("stream_options.include_usage", "'include_usage' appears twice");
        const Kind kind = scan_.peek();
        if (kind != Kind::boolean && kind != Kind::null)
            return refuse_kind("stream_options.include_usage", "expected true or false");
        if (!scan_.skip(&request_.include_usage_value)) return false;
        request_.include_usage = scan_.raw(request_.include_usage_value) == "true";
        return true;
    }

    bool take_output_bound(std::string_view name) {
        if (scan_.peek() == Kind::null)
            return scan_.skip(name == "max_tokens" ? &request_.max_tokens_null : nullptr);
        const auto value = scan_.read_integer();
        if (!value || *value < 1 || *value > kOutputTokensMax)
            return refuse(
                std::string(name),
                "expected a whole number from 1 to " + std::to_string(kOutputTokensMax)
            );
        request_.output_tokens_max = std::max(request_.output_tokens_max.value_or(0), *value);
        return true;
    }

    bool take_choices(std::string_view name) {
        if (scan_.peek() == Kind::null) return scan_.skip();
        const auto value = scan_.read_integer();
        if (!value || *value < 1 || *value > kChoicesMax)
            return refuse(
                std::string(name),
                "expected a whole number from 1 to " + std::to_string(kChoicesMax)
            );
        request_.choices = std::max(request_.choices, *value);
        return true;
    }

    bool take_tools() {
        Span value;
        if (!scan_.skip(&value)) return false;
        request_.tools_digest = chain_block(0, scan_.raw(value));
        return true;
    }

    bool take_route_wish(std::string_view name, std::size_t begin) {
        Span value;
        if (!scan_.skip(&value)) return false;
        request_.wish_members.push_back({begin, value.end});
        Result<void> taken = take_wish(request_.wishes, name, scan_.raw(value));
        if (!taken) problem_ = std::move(taken.error());
        return taken.has_value();
    }

    // What is no text is the engine's to refuse.
    bool take_prompt_cache_key() {
        if (scan_.peek() != Kind::string) return scan_.skip();
        String value;
        if (!scan_.read_string(value)) return false;
        if (value.size() <= kSessionNameBytesMax) request_.prompt_cache_key = scan_.decode(value);
        return true;
    }

    bool take_messages() {
        if (scan_.peek() != Kind::array)
            return refuse_kind("messages", "expected an array of messages");
        scan_.enter_array();
        std::size_t index = 0;
        while (scan_.next_element()) {
            if (scan_.peek() != Kind::object)
                return refuse_kind("messages[" + std::to_string(index) + "]", "expected an object");
            if (!take_message()) return false;
            ++index;
        }
        if (!scan_.failed() && index == 0)
            return refuse("messages", "expected at least one message");
        return !scan_.failed();
    }

    bool take_message() {
        scan_.enter_object();
        String key;
        while (scan_.next_member(key)) {
            if (scan_.equals(key, "content")) {
                if (!take_content()) return false;
                continue;
            }
            // Roles, names, calls and their results: as they are written.
            Span value;
            if (!scan_.skip(&value)) return false;
            prompt_.add(scan_.raw(key));
            prompt_.add(scan_.raw(value));
        }
        return !scan_.failed();
    }

    bool take_content() {
        const Kind kind = scan_.peek();
        if (kind == Kind::string) return take_text();
        if (kind != Kind::array) return scan_.skip();
        scan_.enter_array();
        while (scan_.next_element()) {
            if (scan_.peek() == Kind::object ? !take_part() : !scan_.skip()) return false;
        }
        return !scan_.failed();
    }

    bool take_part() {
        const std::size_t begin = scan_.offset();
        scan_.enter_object();
        bool text = false;
        String key;
        while (scan_.next_member(key)) {
            if (scan_.equals(key, "text") && scan_.peek() == Kind::string) {
                text = true;
                if (!take_text()) return false;
            } else if (!scan_.skip()) {
                return false;
            }
        }
        if (scan_.failed() || text) return !scan_.failed();
        ++media_parts_;
        prompt_.add_digest_of(scan_.raw({begin, scan_.offset()}));
        return true;
    }

    bool take_text() {
        String value;
        if (!scan_.read_string(value)) return false;
        if (!value.escaped) {
            request_.prompt_text_bytes += static_cast<std::int64_t>(value.size());
            prompt_.add(scan_.raw(value));
            return true;
        }
        const std::string text = scan_.decode(value);
        request_.prompt_text_bytes += static_cast<std::int64_t>(text.size());
        prompt_.add(text);
        return true;
    }

    Result<ChatRequest> complete() {
        if (!seen_[static_cast<std::size_t>(Field::model)])
            return wrong("model", "'model' is missing");
        if (!seen_[static_cast<std::size_t>(Field::messages)])
            return wrong("messages", "'messages' is missing");
        request_.prompt_tokens_bound = static_cast<std::int64_t>(scan_.text().size()) +
                                       kTemplateTokensMax + media_parts_ * kMediaTokensMax;
        request_.prompt_digest = prompt_.digest();
        request_.prompt_chain = std::move(prompt_).finish();
        return std::move(request_);
    }

    JsonScanner scan_;
    ChatRequest request_;
    std::array<bool, kFieldNames.size()> seen_{};
    std::int64_t media_parts_ = 0;
    PromptHasher prompt_;
    std::optional<Error> problem_;
};

struct Edit {
    Span place;
    std::string text;
};

void ask_for_usage(const ChatRequest& request, std::string& inserted, std::vector<Edit>& edits) {
    switch (request.stream_options) {
        case ChatRequest::StreamOptions::absent:
            inserted += R"("stream_options":{"include_usage":true},)";
            return;
        case ChatRequest::StreamOptions::null:
            edits.push_back({request.stream_options_value, R"({"include_usage":true})"});
            return;
        case ChatRequest::StreamOptions::object:
            break;
    }
    if (!request.include_usage_value.empty()) {
        edits.push_back({request.include_usage_value, "true"});
        return;
    }
    const std::size_t inside = request.stream_options_value.begin + 1;
    edits.push_back(
        {{inside, inside},
         request.stream_options_empty ? R"("include_usage":true)" : R"("include_usage":true,)"}
    );
}

}  // namespace

Result<ChatRequest> scan_chat_request(std::string_view body) {
    return ChatRequestScanner(body).run();
}

std::string upstream_body(
    std::string_view body, const ChatRequest& request, const UpstreamBody& change
) {
    std::vector<Edit> edits;
    std::string inserted;
    if (!request.output_tokens_max) {
        std::string bound = std::to_string(change.output_tokens_default);
        if (request.max_tokens_null.empty())
            inserted += R"("max_tokens":)" + bound + ",";
        else
            edits.push_back({request.max_tokens_null, std::move(bound)});
    }
    if (request.stream && !request.include_usage) ask_for_usage(request, inserted, edits);
    if (!inserted.empty())
        edits.push_back({{request.object_begin, request.object_begin}, std::move(inserted)});
    if (change.model != request.model) {
        std::string name;
        append_json_string(name, change.model);
        edits.push_back({request.model_value, std::move(name)});
    }
    for (const Span& cut : cuts_of(body, request.wish_members)) edits.push_back({cut, {}});
    // What is put in at a place stands before what is cut out there.
    std::ranges::sort(edits, {}, [](const Edit& edit) {
        return std::pair(edit.place.begin, edit.place.end);
    });
    std::string out;
    out.reserve(body.size() + 128);
    std::size_t copied = 0;
    for (const Edit& edit : edits) {
        out.append(body, copied, edit.place.begin - copied).append(edit.text);
        copied = edit.place.end;
    }
    return out.append(body, copied);
}

TokenBound token_bound(const ChatRequest& request, std::int64_t output_tokens_default) {
    return {
        .input = request.prompt_tokens_bound,
        .output = request.output_tokens_max.value_or(output_tokens_default) * request.choices,
    };
}

}  // namespace penstock::routing
