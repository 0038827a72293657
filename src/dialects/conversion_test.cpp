// SPDX-License-Identifier: Apache-2.0
#include <gtest/gtest.h>

#include <array>

#include "dialects/documents.h"

// What a dialect has no word for is named, never dropped in silence.
namespace penstock::dialects {
namespace {

std::string lost(Dialect from, const std::string& body, Dialect to) {
    const Result<Request> request = read_request(from, *parse_json(body));
    if (!request) return to_string(request.error());
    std::string names;
    for (const std::string& name : write_request(*request, to).dropped)
        names += (names.empty() ? "" : " ") + name;
    return names;
}

std::string chat_with(const std::string& members) {
    return R"({"model":"m","messages":[{"role":"user","content":"Hi"}],"max_tokens":8)" +
           (members.empty() ? "" : "," + members) + "}";
}

TEST(Conversion, NamesWhatAnthropicCannotSay) {
    const auto to_anthropic = [](const std::string& members) {
        return lost(Dialect::chat, chat_with(members), Dialect::anthropic);
    };
    EXPECT_EQ(to_anthropic(""), "");
    EXPECT_EQ(to_anthropic(R"("n":2)"), "n");
    EXPECT_EQ(to_anthropic(R"("n":1,"logprobs":false,"stop":"x","user":"u","top_k":4)"), "");
    EXPECT_EQ(to_anthropic(R"("logprobs":true,"top_logprobs":2)"), "logprobs top_logprobs");
    EXPECT_EQ(to_anthropic(R"("seed":1,"presence_penalty":0.5)"), "seed presence_penalty");
    EXPECT_EQ(to_anthropic(R"("logit_bias":{"1":2})"), "logit_bias");
    EXPECT_EQ(to_anthropic(R"("response_format":{"type":"json_object"})"), "response_format");
    EXPECT_EQ(
        to_anthropic(R"("tools":[{"type":"custom","custom":{"name":"x"}}])"), "tools[0].type"
    );
    EXPECT_EQ(to_anthropic(R"("metadata":{"a":"b"})"), "metadata");
    EXPECT_EQ(to_anthropic(R"("reasoning_effort":"minimal")"), "reasoning_effort");
    EXPECT_EQ(to_anthropic(R"("never_heard_of":1)"), "never_heard_of");
    EXPECT_EQ(to_anthropic(R"("never_heard_of":null)"), "");
}

TEST(Conversion, NamesPlacesInMessages) {
    EXPECT_EQ(
        lost(
            Dialect::chat,
            R"({"model":"m","messages":[{"role":"user","name":"ann","content":[
                {"type":"text","text":"x"},
                {"type":"image_url","image_url":{"url":"https://e.org/a.png","detail":"low"}},
                {"type":"input_audio","input_audio":{}}]},
                {"role":"assistant","content":"y","reasoning_content":"unproven"},
                {"role":"system","content":"late"}]})",
            Dialect::anthropic
        ),
        "messages[2].role messages[0].content[1].image_url.detail messages[0].content[2].type "
        "messages[0].name messages[1].reasoning_content"
    );
    EXPECT_EQ(
        lost(
            Dialect::anthropic,
            R"({"model":"m","max_tokens":8,"system":[{"type":"text","text":"s",
                "cache_control":{"type":"ephemeral"}}],"messages":[
                {"role":"assistant","content":[{"type":"thinking","thinking":"t","signature":"s"},
                {"type":"redacted_thinking","data":"d"}]},{"role":"user","content":[
                {"type":"tool_result","tool_use_id":"a","is_error":true,"content":[
                {"type":"image","source":{"type":"url","url":"https://e.org/a.png"}}]}]}],
                "thinking":{"type":"enabled","budget_tokens":1024},"container":"c"})",
            Dialect::chat
        ),
        "system[0].cache_control messages[1].content[0].is_error "
        "thinking.budget_tokens container"
    );
    EXPECT_EQ(
        lost(
            Dialect::anthropic,
            R"({"model":"m","max_tokens":8,"messages":[{"role":"user","content":[{"type":"image",
                "source":{"type":"url","url":"https://e.org/a.png"}}]}],
                "tools":[{"name":"x","input_schema":{}}],"tool_choice":{"type":"any",
                "disable_parallel_tool_use":true},"metadata":{"user_id":"u"}})",
            Dialect::ollama
        ),
        "messages[0].content[0].url tool_choice tool_choice.disable_parallel_tool_use "
        "metadata.user_id"
    );
}

TEST(Conversion, NamesWhatOfResponsesNeedsItsPlatform) {
    const auto to_chat = [](const std::string& members) {
        return lost(
            Dialect::responses, R"({"model":"m","input":"Hi",)" + members + "}", Dialect::chat
        );
    };
    EXPECT_EQ(
        to_chat(R"("store":false,"truncation":"disabled","include":[],"background":false)"), ""
    );
    EXPECT_EQ(to_chat(R"("previous_response_id":"resp_1")"), "previous_response_id");
    EXPECT_EQ(to_chat(R"("store":true)"), "store");
    EXPECT_EQ(to_chat(R"("tools":[{"type":"web_search"}])"), "tools[0].type");
    EXPECT_EQ(to_chat(R"("reasoning":{"effort":"low","summary":"auto"})"), "reasoning.summary");
}

TEST(Conversion, NamesAFieldAsTheClientCalledIt) {
    EXPECT_EQ(
        lost(
            Dialect::ollama,
            R"({"model":"m","messages":[{"role":"user","content":"Hi"}],"format":"json",
                "options":{"seed":1,"mirostat":2}})",
            Dialect::anthropic
        ),
        "options.seed format options.mirostat"
    );
    EXPECT_EQ(
        lost(
            Dialect::responses,
            R"({"model":"m","input":"Hi","text":{"format":{"type":"json_object"}},
                "reasoning":{"effort":"minimal"}})",
            Dialect::anthropic
        ),
        "reasoning.effort text.format"
    );
}

TEST(Conversion, ADeveloperIsTheSystemWhereThereIsNone) {
    const Result<Request> request = read_request(
        Dialect::chat, *parse_json(
                           R"({"model":"m","messages":[{"role":"developer","content":"a"},
                {"role":"system","content":"b"},{"role":"user","content":"c"}],"max_tokens":1})"
                       )
    );
    EXPECT_EQ(
        print_json(write_request(*request, Dialect::anthropic).body),
        R"({"model":"m","max_tokens":1,"system":[{"type":"text","text":"a"},)"
        R"({"type":"text","text":"b"}],"messages":[{"role":"user","content":"c"}]})"
    );
}

TEST(Conversion, BrokenArgumentsOfACallAreNotInvented) {
    EXPECT_EQ(
        lost(
            Dialect::chat,
            R"({"model":"m","messages":[{"role":"assistant","content":null,"tool_calls":[
                {"id":"a","type":"function","function":{"name":"f","arguments":"{\"x\":"}}]}]})",
            Dialect::anthropic
        ),
        "messages[0].tool_calls[0].arguments"
    );
}

TEST(Conversion, NamesTheFieldOfAMalformedRequest) {
    EXPECT_EQ(
        lost(Dialect::anthropic, R"({"model":"m","messages":[]})", Dialect::chat),
        "invalid_argument: messages: expected at least one message"
    );
    EXPECT_EQ(
        lost(
            Dialect::anthropic,
            R"({"model":"m","max_tokens":1,"messages":[{"role":"user","content":[
                {"type":"tool_result","content":"x"}]}]})",
            Dialect::chat
        ),
        "invalid_argument: messages[0].content[0].tool_use_id: 'tool_use_id' is missing"
    );
    EXPECT_EQ(
        lost(Dialect::ollama, R"({"model":"m","messages":[{"role":"tool"},7]})", Dialect::chat),
        "invalid_argument: messages[1]: expected an object"
    );
    EXPECT_EQ(
        lost(Dialect::responses, R"({"model":"m","input":7})", Dialect::chat),
        "invalid_argument: input: expected a string or a list of items"
    );
}

// Engines write members of their own into every message, and mostly they say nothing.
TEST(Conversion, AnEmptyMemberOfAnAnswerIsNoLoss) {
    const Result<Response> response = read_response(
        Dialect::chat,
        *parse_json(R"({"choices":[{"index":0,"message":{"role":"assistant","content":"x",
            "prefix":false,"audio":null,"images":[],"extra":{},"mood":""},"finish_reason":"stop",
            "hidden_states":[]}],"suggestions":[]})")
    );
    const Written written =
        write_response(*response, Dialect::anthropic, {.id = "1", .model = "m"});
    EXPECT_TRUE(written.dropped.empty()) << written.dropped.front();
    EXPECT_TRUE(written.beside.empty()) << written.beside.front();
}

TEST(Conversion, KeepsAnUnknownReasonToStop) {
    const Result<Response> response = read_response(
        Dialect::anthropic,
        *parse_json(R"({"content":[{"type":"text","text":"x"}],"stop_reason":"pause_turn"})")
    );
    const Written written = write_response(*response, Dialect::chat, {.id = "1", .model = "m"});
    const Json* choices = written.body.find("choices");
    EXPECT_EQ(print_json(*choices->if_array()->front().find("finish_reason")), R"("pause_turn")");
}

TEST(Conversion, TellsErrorsInTheWordsOfEachDialect) {
    routing::ApiError error = routing::invalid_request("is missing", "max_tokens", "x");
    EXPECT_EQ(
        print_json(write_error(Dialect::anthropic, error)),
        R"({"type":"error","error":{"type":"invalid_request_error","message":"max_tokens: is missing"}})"
    );
    EXPECT_EQ(
        print_json(write_error(Dialect::ollama, error)), R"({"error":"max_tokens: is missing"})"
    );
    EXPECT_EQ(print_json(write_error(Dialect::chat, error)), to_json(error));
    error.status = 503;
    EXPECT_EQ(
        print_json(*write_error(Dialect::anthropic, error).find("error")->find("type")),
        R"("overloaded_error")"
    );
}

// An engine's refusal in its own shape, as every client is told it.
TEST(Conversion, ErrorsKeepTheirClassBetweenEveryPair) {
    struct Class {
        int status;
        std::string_view anthropic;
        std::string_view openai;
    };
    constexpr std::array<Class, 11> kClasses{{
        {400, "invalid_request_error", "invalid_request_error"},
        {401, "authentication_error", "authentication_error"},
        {402, "billing_error", "invalid_request_error"},
        {403, "permission_error", "permission_error"},
        {404, "not_found_error", "invalid_request_error"},
        {413, "request_too_large", "invalid_request_error"},
        {429, "rate_limit_error", "rate_limit_error"},
        {500, "api_error", "server_error"},
        {503, "overloaded_error", "server_error"},
        {504, "timeout_error", "timeout_error"},
        {529, "overloaded_error", "server_error"},
    }};
    const auto type_of = [](const Json& body) {
        return print_json(*body.find("error")->find("type"));
    };
    for (const Class& known : kClasses)
        for (const char* body :
             {R"({"error":{"message":"no"}})",
              R"({"type":"error","error":{"type":"x","message":"no"}})", R"({"error":"no"})"}) {
            const Dialect from = std::string_view(body).find("\"type\"") != std::string_view::npos
                                     ? Dialect::anthropic
                                     : Dialect::chat;
            const auto error = read_error(from, known.status, *parse_json(body));
            ASSERT_TRUE(error) << body;
            EXPECT_EQ(error->status, known.status);
            EXPECT_EQ(
                type_of(write_error(Dialect::anthropic, *error)),
                '"' + std::string(known.anthropic) + '"'
            );
            EXPECT_EQ(
                type_of(write_error(Dialect::chat, *error)), '"' + std::string(known.openai) + '"'
            );
            EXPECT_EQ(print_json(write_error(Dialect::ollama, *error)), R"({"error":"no"})");
        }
}

TEST(Conversion, CitationsOfEarlierTurnsAreNamedAndNotSentOn) {
    EXPECT_EQ(
        lost(
            Dialect::chat,
            R"({"model":"m","max_tokens":8,"messages":[{"role":"user","content":"Hi"},
                {"role":"assistant","content":"A river.","annotations":[{"type":"url_citation",
                "url_citation":{"start_index":0,"end_index":8,"url":"https://e.org","title":"T"}}]}]})",
            Dialect::anthropic
        ),
        "messages[1].annotations"
    );
}

TEST(Conversion, ImagesOfResultsFollowAllResultsOfTheirTurn) {
    const Result<Request> request = read_request(
        Dialect::anthropic,
        *parse_json(R"({"model":"m","max_tokens":8,"messages":[{"role":"user","content":[
            {"type":"tool_result","tool_use_id":"a","content":[{"type":"text","text":"see"},
             {"type":"image","source":{"type":"url","url":"https://e.org/a.png"}}]},
            {"type":"tool_result","tool_use_id":"b","content":"two"},
            {"type":"text","text":"Go on."}]}]})")
    );
    const Written written = write_request(*request, Dialect::chat);
    EXPECT_TRUE(written.dropped.empty());
    EXPECT_EQ(
        print_json(*written.body.find("messages")),
        R"([{"role":"tool","tool_call_id":"a","content":"see"},)"
        R"({"role":"tool","tool_call_id":"b","content":"two"},)"
        R"({"role":"user","content":[{"type":"image_url","image_url":{"url":"https://e.org/a.png"}},)"
        R"({"type":"text","text":"Go on."}]}])"
    );
}

TEST(Conversion, AnswersThatGaveNoReasonToStopAreNotComplete) {
    const Result<Response> response = read_response(
        Dialect::chat, *parse_json(R"({"choices":[{"index":0,"message":{"role":"assistant",
            "content":"x"},"finish_reason":null}]})")
    );
    const Written written =
        write_response(*response, Dialect::responses, {.id = "1", .model = "m"});
    EXPECT_EQ(print_json(*written.body.find("status")), R"("incomplete")");
    EXPECT_EQ(print_json(*written.body.find("incomplete_details")), "null");
}

TEST(Conversion, CallsWithoutAnIdGetOne) {
    const Result<Response> response = read_response(
        Dialect::chat, *parse_json(R"({"choices":[{"index":0,"message":{"role":"assistant",
            "content":null,"tool_calls":[{"function":{"name":"f","arguments":"{}"}},{"id":"b",
            "function":{"name":"g","arguments":"{}"}}]},"finish_reason":"tool_calls"}]})")
    );
    const Written written =
        write_response(*response, Dialect::anthropic, {.id = "1", .model = "m"});
    EXPECT_EQ(
        print_json(*written.body.find("content")),
        R"([{"type":"tool_use","id":"call_1_0","name":"f","input":{}},)"
        R"({"type":"tool_use","id":"b","name":"g","input":{}}])"
    );
}

TEST(Conversion, NothingIsLeftOfWhatAnEngineWouldRefuse) {
    const auto messages = [](Dialect from, const char* body, Dialect to) {
        const Result<Request> request = read_request(from, *parse_json(body));
        return print_json(*write_request(*request, to).body.find("messages"));
    };
    EXPECT_EQ(
        messages(
            Dialect::chat,
            R"({"model":"m","max_tokens":8,"messages":[{"role":"assistant","content":"",
                "tool_calls":[{"id":"a","function":{"name":"f","arguments":"{}"}}]}]})",
            Dialect::anthropic
        ),
        R"([{"role":"assistant","content":[{"type":"tool_use","id":"a","name":"f","input":{}}]}])"
    );
    for (const Dialect to : {Dialect::chat, Dialect::anthropic, Dialect::ollama})
        EXPECT_EQ(
            messages(
                Dialect::responses,
                R"({"model":"m","input":[{"role":"user","content":"Hi"},
                    {"type":"item_reference","id":"x"}]})",
                to
            ),
            R"([{"role":"user","content":"Hi"}])"
        );
}

TEST(Conversion, NamesMembersOfAMessageThatHoldsOnlyResults) {
    for (const Dialect to : {Dialect::chat, Dialect::ollama})
        EXPECT_EQ(
            lost(
                Dialect::anthropic,
                R"({"model":"m","max_tokens":8,"messages":[{"role":"user","foo":1,"content":[
                    {"type":"tool_result","tool_use_id":"a","content":"x"}]}]})",
                to
            ),
            "messages[0].foo"
        );
}

TEST(Conversion, AModelThatIsToldNotToThinkDoesNot) {
    const Result<Request> request = read_request(
        Dialect::anthropic,
        *parse_json(R"({"model":"m","max_tokens":8,"messages":[{"role":"user","content":"Hi"}],
            "thinking":{"type":"disabled"},"output_config":{"effort":"high"}})")
    );
    const Written chat = write_request(*request, Dialect::chat);
    EXPECT_EQ(print_json(*chat.body.find("reasoning_effort")), R"("none")");
    EXPECT_EQ(chat.dropped, std::vector<std::string>{"output_config.effort"});
    const Written ollama = write_request(*request, Dialect::ollama);
    EXPECT_EQ(print_json(*ollama.body.find("think")), "false");
    EXPECT_EQ(ollama.dropped, std::vector<std::string>{"output_config.effort"});
}

TEST(Conversion, NamesWhatASchemaIsFor) {
    const std::string schema =
        R"("response_format":{"type":"json_schema","json_schema":{"name":"plan",)"
        R"("description":"In French only","strict":false,"schema":{"type":"object"}}})";
    for (const Dialect to : {Dialect::anthropic, Dialect::ollama})
        EXPECT_EQ(
            lost(Dialect::chat, chat_with(schema), to), "response_format.json_schema.description"
        );
    EXPECT_EQ(lost(Dialect::chat, chat_with(schema), Dialect::responses), "");
}

TEST(Conversion, ReadsTheRefusalOfAnEngine) {
    const auto read = [](Dialect dialect, const char* body) {
        const auto error = read_error(dialect, 400, *parse_json(body));
        return error ? error->type + ": " + error->message : "none";
    };
    EXPECT_EQ(
        read(Dialect::anthropic, R"({"type":"error","error":{"type":"x","message":"too long"}})"),
        "invalid_request_error: too long"
    );
    EXPECT_EQ(
        read(Dialect::chat, R"({"error":{"message":"too long","type":"context_error"}})"),
        "context_error: too long"
    );
    EXPECT_EQ(read(Dialect::ollama, R"({"error":"too long"})"), "invalid_request_error: too long");
    EXPECT_EQ(read(Dialect::chat, R"({"detail":"too long"})"), "none");
}

}  // namespace
}  // namespace penstock::dialects
