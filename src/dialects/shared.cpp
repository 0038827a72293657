// SPDX-License-Identifier: Apache-2.0
#include "dialects/shared.h"

#include <algorithm>
#include <array>

namespace penstock::dialects {
namespace {

constexpr std::array<SamplingName, 7> kSampling{{
    {"temperature", "temperature", "temperature", "temperature", "temperature"},
    {"top_p", "top_p", "top_p", "top_p", "top_p"},
    // top_k and min_p are extensions of Chat that the open engines share.
    {"top_k", "top_k", "", "top_k", "top_k"},
    {"min_p", "min_p", "", "", "min_p"},
    {"seed", "seed", "", "", "seed"},
    {"frequency_penalty", "frequency_penalty", "", "", "frequency_penalty"},
    {"presence_penalty", "presence_penalty", "", "", "presence_penalty"},
}};

std::string_view name_in(const SamplingName& name, Dialect dialect) {
    switch (dialect) {
        case Dialect::chat:
            return name.chat;
        case Dialect::responses:
            return name.responses;
        case Dialect::anthropic:
            return name.anthropic;
        case Dialect::ollama:
            return name.ollama;
    }
    return {};
}

constexpr std::array<std::string_view, 5> kOpenai{
    "metadata", "prompt_cache_key", "prompt_cache_retention", "safety_identifier", "service_tier"
};
// What Anthropic calls OpenAI's tier "default": no capacity that was bought ahead.
constexpr std::string_view kStandardTier = "standard_only";
constexpr std::string_view kDefaultTier = "default";

bool is_openai(Dialect dialect) {
    return dialect == Dialect::chat || dialect == Dialect::responses;
}

}  // namespace

std::string_view name_of(Dialect dialect) {
    switch (dialect) {
        case Dialect::chat:
            return "openai";
        case Dialect::responses:
            return "openai responses";
        case Dialect::anthropic:
            return "anthropic";
        case Dialect::ollama:
            return "ollama";
    }
    return {};
}

void read_sampling(Fields& fields, Dialect dialect, Request& request) {
    for (const SamplingName& name : kSampling)
        if (const std::string_view key = name_in(name, dialect); !key.empty())
            if (std::optional<Json> value = fields.number(key))
                put(request.sampling, name.canonical, *std::move(value));
}

void write_sampling(Json::Object& out, Dialect dialect, const Request& request, Writer& writer) {
    for (const Member& member : request.sampling) {
        const auto* name = std::ranges::find(kSampling, member.key, &SamplingName::canonical);
        const std::string_view key = name_in(*name, dialect);
        if (key.empty())
            writer.lose(own_name(request.dialect, member.key));
        else
            out.push_back({std::string(key), member.value});
    }
}

std::string own_name(Dialect dialect, std::string_view canonical) {
    struct Name {
        Dialect dialect;
        std::string_view canonical;
        std::string_view own;
    };
    static constexpr std::array<Name, 12> kNames{{
        {Dialect::chat, "format_description", "response_format.json_schema.description"},
        {Dialect::responses, "format_description", "text.format.description"},
        {Dialect::responses, "logprobs", "include"},
        {Dialect::responses, "verbosity", "text.verbosity"},
        {Dialect::chat, "stop_sequence", "choices[0].stop_reason"},
        {Dialect::anthropic, "user", "metadata.user_id"},
        {Dialect::anthropic, "parallel_tool_calls", "tool_choice.disable_parallel_tool_use"},
        {Dialect::anthropic, "reasoning_effort", "output_config.effort"},
        {Dialect::anthropic, "response_format", "output_config.format"},
        {Dialect::responses, "reasoning_effort", "reasoning.effort"},
        {Dialect::responses, "response_format", "text.format"},
        {Dialect::ollama, "reasoning_effort", "think"},
    }};
    for (const Name& name : kNames)
        if (name.dialect == dialect && name.canonical == canonical) return std::string(name.own);
    if (dialect == Dialect::ollama && canonical == "response_format") return "format";
    const bool option =
        std::ranges::find(kSampling, canonical, &SamplingName::canonical) != kSampling.end() ||
        canonical == "stop";
    return (dialect == Dialect::ollama && option ? "options." : "") + std::string(canonical);
}

void lose_description(const Request& request, Writer& writer) {
    if (!request.format.description.value_or("").empty())
        writer.lose(own_name(request.dialect, "format_description"));
}

std::string level_of(const Request& request, Writer& writer) {
    const Effort& effort = request.effort;
    if (effort.enabled != false) return effort.level;
    // Anthropic's level is of the answer too; here it would make the model think.
    if (!effort.level.empty() && effort.level != kNoEffort)
        writer.lose(own_name(request.dialect, "reasoning_effort"));
    return std::string(kNoEffort);
}

void write_logprobs(Json::Object& out, const Request& request) {
    if (request.logprobs) out.push_back({"logprobs", *request.logprobs});
    // Of Responses the number alone asks for nothing: `include` does.
    if (request.top_logprobs && (request.logprobs || request.dialect != Dialect::responses))
        out.push_back({"top_logprobs", *request.top_logprobs});
}

void read_openai(Fields& fields, Request& request) {
    fields.shape_if("service_tier", "auto");
    fields.shape_if("metadata", Json::Object{});
    for (const std::string_view key : kOpenai)
        if (std::optional<Json> value = fields.take(key))
            put(request.openai, key, *std::move(value));
}

void read_standard_tier(Fields& fields, Request& request) {
    fields.shape_if("service_tier", "auto");
    const Json* tier = fields.look("service_tier");
    if (tier == nullptr || !(*tier == Json(kStandardTier))) return;
    put(request.openai, "service_tier", kDefaultTier);
    fields.shape({"service_tier"});
}

void write_openai(Json::Object& out, Dialect dialect, const Request& request, Writer& writer) {
    if (writer.same() && !is_openai(dialect)) return;
    for (const Member& member : request.openai) {
        const bool tier = dialect == Dialect::anthropic && member.key == "service_tier" &&
                          member.value == Json(kDefaultTier);
        // Responses has it within `text`.
        const bool verbosity = member.key == "verbosity" && dialect == Dialect::responses;
        if (verbosity) continue;
        if (is_openai(dialect))
            out.push_back(member);
        else if (tier)
            out.push_back({"service_tier", kStandardTier});
        else
            writer.lose(own_name(request.dialect, member.key));
    }
}

void read_image_url(std::string url, Part& part) {
    constexpr std::string_view kScheme = "data:";
    constexpr std::string_view kEncoding = ";base64,";
    const std::size_t encoding = url.find(kEncoding);
    if (!url.starts_with(kScheme) || encoding == std::string::npos) {
        part.url = std::move(url);
        return;
    }
    part.media_type = url.substr(kScheme.size(), encoding - kScheme.size());
    part.data = url.substr(encoding + kEncoding.size());
}

std::string image_url(const Part& part) {
    return part.url.empty() ? "data:" + part.media_type + ";base64," + part.data : part.url;
}

Json arguments_object(const Part& call, Writer& writer) {
    if (call.text.find_first_not_of(" \t\r\n") == std::string::npos) return Json::Object{};
    Result<Json> value = parse_json(call.text);
    if (value && value->if_object() != nullptr) return *std::move(value);
    // Models write broken arguments now and then; a dialect of objects cannot tell them.
    writer.lose(call, "arguments");
    return Json::Object{};
}

Part native_part(Json value, std::string path) {
    Part part;
    part.kind = Part::Kind::native;
    part.path = std::move(path);
    if (Json::Object* object = value.if_object()) part.native = std::move(*object);
    return part;
}

void write_native(Json::Array& out, const Part& part, Writer& writer) {
    if (writer.same())
        out.push_back(part.native);
    else
        writer.lose(part, "type");
}

void lose_message(const Choice& choice, Writer& writer) {
    if (writer.same()) return;
    const Json* message = find(choice.native, "message");
    if (message != nullptr && message->if_object() != nullptr)
        for (const Member& member : *message->if_object())
            if (!says_nothing(member.value)) writer.lose(choice, "message." + member.key);
    for (const std::string& place : choice.lost) writer.lose(place);
}

std::string joined_text(const std::vector<Part>& parts, Writer& writer) {
    std::string text;
    for (const Part& part : parts) {
        if (part.kind == Part::Kind::text) {
            text += part.text;
            writer.lose_natives(part);
        } else {
            writer.lose(part, "type");
        }
    }
    return text;
}

bool all_text(const std::vector<Part>& parts) {
    return std::ranges::all_of(parts, [](const Part& part) {
        return part.kind == Part::Kind::text;
    });
}

bool is_out_of_place(const Part& part, Writer& writer) {
    const bool media = part.kind == Part::Kind::image || part.kind == Part::Kind::document;
    if (!media || writer.same() || !writer.answers()) return false;
    writer.lose(part, "type");
    return true;
}

bool all_results(const std::vector<Part>& parts) {
    return !parts.empty() && std::ranges::all_of(parts, [](const Part& part) {
        return part.kind == Part::Kind::tool_result;
    });
}

bool lose_item(const Turn& turn, Writer& writer) {
    if (writer.same() || find(turn.shape, "item") == nullptr) return false;
    writer.lose(turn.parts.front(), "type");
    return true;
}

std::vector<Turn> joined_turns(const std::vector<Turn>& turns) {
    std::vector<Turn> joined;
    for (const Turn& turn : turns) {
        if (joined.empty() || turn.role != Role::assistant ||
            joined.back().role != Role::assistant) {
            joined.push_back(turn);
            continue;
        }
        Turn& last = joined.back();
        last.plain = false;
        std::ranges::copy(turn.parts, std::back_inserter(last.parts));
        merge(last.native, turn.native);
    }
    return joined;
}

void read_stop(Fields& fields, std::string_view key, Request& request) {
    std::optional<Json> value = fields.take(key);
    if (!value) return;
    if (const std::string* one = value->if_string()) {
        request.stop.push_back(*one);
        fields.put_shape(key, *one);
        return;
    }
    const Json::Array* list = value->if_array();
    if (list == nullptr) return fields.trouble().add(fields.at(key), "expected strings");
    for (const Json& element : *list) {
        const std::string* text = element.if_string();
        if (text == nullptr) return fields.trouble().add(fields.at(key), "expected strings");
        request.stop.push_back(*text);
    }
    if (list->empty()) fields.put_shape(key, Json::Array{});
}

}  // namespace penstock::dialects
