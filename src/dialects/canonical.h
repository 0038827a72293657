// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "dialects/json_tree.h"
#include "model/billing.h"

// The one form that every dialect is converted to and from.
namespace penstock::dialects {

enum class Dialect : std::uint8_t { chat, responses, anthropic, ollama };
std::string_view name_of(Dialect dialect);

// What a node has that the canonical form has no word for.
//   native  fields that mean something to the model or the bill: another dialect refuses them
//   shape   how the same thing was written (nulls, ids of items, empty lists): used again only when
//           the node is written in the dialect it came from, and no loss elsewhere
struct Extras {
    Json::Object native = {};
    Json::Object shape = {};
    std::string path = {};               // where the node stood: "messages[2].content[0]"
    std::vector<std::string> lost = {};  // places in `shape` that another dialect has no word for
};

enum class Role : std::uint8_t { system, developer, user, assistant, tool };

// A page of the web that a text rests on; what else a dialect cites is its own.
struct Citation {
    std::string url = {};
    std::string title = {};
    std::string quote = {};  // of the page; empty where only the place in the answer was told
    std::int64_t begin = 0;  // of what it stands for in the text, in characters
    std::int64_t end = 0;
};

struct Part : Extras {
    enum class Kind : std::uint8_t {
        text,
        refusal,
        image,
        document,
        reasoning,
        tool_call,
        tool_result,
        native  // whole in `native`
    };
    Kind kind = Kind::text;
    std::string text = {};        // text, refusal, reasoning; of a tool call its arguments, as JSON
    std::string media_type = {};  // of an image or document in `data`
    std::string data = {};        // base64: an image, a document, or hidden reasoning
    std::string url = {};         // of an image or document that is somewhere else
    std::string signature = {};   // opaque proof of a reasoning; goes back where it came from
    std::string id = {};          // of a tool call, and of the call that a result answers
    std::string name = {};        // of the tool, or of the document's file
    std::vector<Part> parts = {};          // of a tool result
    std::vector<Citation> citations = {};  // of a text
    std::int64_t place = -1;  // of a reasoning among the parts, where its dialect told it
    bool plain = false;       // the result's content was one string
    bool failed = false;      // the tool could not do it
};

struct Turn : Extras {
    Role role = Role::user;
    std::vector<Part> parts = {};
    bool plain = false;  // the content was one string, not a list of parts
};

struct Tool : Extras {
    bool function = true;  // else whole in `native`
    std::string name = {};
    std::optional<std::string> description = {};
    std::optional<Json> parameters = {};  // JSON Schema
    bool strict = false;
};

struct ToolChoice : Extras {
    enum class Kind : std::uint8_t { absent, automatic, none, required, named, native };
    Kind kind = Kind::absent;
    std::string name = {};
};

struct ResponseFormat : Extras {
    enum class Kind : std::uint8_t { absent, text, json, schema, native };
    Kind kind = Kind::absent;
    std::string name = {};
    std::optional<std::string> description = {};
    Json schema = {};
    std::optional<bool> strict = {};
};

// How much the model should think before it answers.
struct Effort {
    std::string level = {};                       // "low", "medium", "high" …; empty: not said
    std::optional<bool> enabled = {};             // said without a level
    std::optional<std::int64_t> tokens_max = {};  // Anthropic's budget
};

struct Request : Extras {
    Dialect dialect = Dialect::chat;
    std::string model = {};
    bool stream = false;
    bool include_usage = false;  // Chat: the client wants the usage chunk
    std::vector<Turn> turns = {};
    std::optional<std::int64_t> output_tokens_max = {};
    Json::Object sampling = {};  // temperature, top_p, top_k, min_p, seed, the two penalties
    std::vector<std::string> stop = {};
    std::vector<Tool> tools = {};
    ToolChoice tool_choice = {};
    std::optional<bool> parallel_tool_calls = {};
    std::int64_t choices = 1;
    std::optional<bool> logprobs = {};
    std::optional<std::int64_t> top_logprobs = {};
    ResponseFormat format = {};
    Effort effort = {};
    std::optional<std::string> user = {};
    Json::Object openai = {};  // what Chat and Responses both have, under one name
};

// Why the model stopped. `written` is what the engine said; an unknown reason stays what it is.
struct Finish {
    enum class Kind : std::uint8_t {
        stop,
        stop_sequence,
        length,
        tool_calls,
        content_filter,
        other
    };
    Kind kind = Kind::other;
    std::string written = {};
    std::string sequence = {};  // the stop sequence that was met
};

// Bits of routing::UsageViolation say what contradicts what.
struct Usage {
    TokenCounts tokens;
    std::uint8_t violations = 0;
    Json written = {};  // as it came
    Json earlier = {};  // of a stream: what reports before it said, as far as that still holds
};

struct Choice : Extras {
    std::int64_t index = 0;
    std::vector<Part> parts = {};
    Json::Array logprobs = {};  // of the tokens of its text, each as OpenAI and Ollama write it
    std::optional<Finish> finish = {};
};

struct Response : Extras {
    Dialect dialect = Dialect::chat;
    std::string id = {};
    std::string model = {};
    std::vector<Choice> choices = {};
    std::optional<Usage> usage = {};
};

// One step of a streamed answer.
struct StreamEvent : Extras {
    enum class Kind : std::uint8_t {
        start,       // id, model
        role,        // the message of a choice begins
        part_start,  // part, part_kind, and of a tool call its id and name
        delta,       // part, part_kind, text
        signature,   // part, text
        citation,    // part, citation
        logprobs,    // of the text that comes next
        part_end,    // part
        finish,
        usage,
        choice,  // a choice was named; carries how it was written
        ping,    // the engine is alive
        end,     // the engine said that it is done
        error,   // text: its message, id: its type, name: its code
        native   // no word for it
    };
    Kind kind = Kind::delta;
    std::int64_t choice = 0;
    std::int64_t part = 0;  // counted per choice, in order of part_start
    Part::Kind part_kind = Part::Kind::text;
    std::string text = {};
    std::string id = {};
    std::string name = {};  // of the tool; at the start, of the model
    std::string data = {};  // of hidden reasoning, at the start of its part
    Citation citation = {};
    Json::Array logprobs = {};
    Finish finish = {};
    Usage usage = {};
};

// What a dialect had no word for, by its place.
struct Losses {
    // Fields of a request, and what the model said: who converts refuses, or lists them.
    std::vector<std::string> said = {};
    // What an engine tells of its answer beside it: is listed.
    std::vector<std::string> beside = {};
    bool empty() const { return said.empty() && beside.empty(); }
};

// What one frame of the engine's stream brought.
struct StreamFrame : Extras {
    std::vector<StreamEvent> events;
};

}  // namespace penstock::dialects
