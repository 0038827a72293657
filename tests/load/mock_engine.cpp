// SPDX-License-Identifier: Apache-2.0
#include <CLI/CLI.hpp>
#include <algorithm>
#include <charconv>
#include <cstdio>
#include <string>
#include <string_view>

#include "http/router.h"
#include "http/server.h"
#include "io/runtime.h"
#include "routing/chat_request.h"

// An engine for benchmarks and tests: OpenAI's chat dialect, exact usage, scripted speed and
// faults. A stream whose prompt has "hold-after-17" falls silent after 17 tokens.
namespace penstock {
namespace {

struct Script {
    std::string model = "mock";
    std::int64_t tokens = 64;
    std::int64_t cut_after = -1;  // tokens; below 0: never
    int status = 200;
    Duration delay{};              // before the first token,
    std::int64_t delay_after = 0;  // or, in a stream, after so many
    Duration gap{};                // between tokens
    bool in_step = false;          // whether all streams have their tokens at the same moments
};

constexpr std::string_view kWord = "word ";
constexpr std::string_view kHoldMark = "hold-after-";  // in a prompt, before a number of tokens
constexpr Duration kHoldStep = 100ms;
constexpr int kHoldStepsMax = 600;

class MockEngine {
  public:
    explicit MockEngine(Script script) : script_(std::move(script)) {
        head_ =
            R"({"id":"chatcmpl-mock","object":"chat.completion.chunk","created":1700000000,"model":")" +
            script_.model + "\",";
    }

    void add_routes(http::Router& router) {
        router.add("POST", "/v1/chat/completions", [this](http::Request r) {
            return chat(std::move(r));
        });
        router.add("GET", "/v1/models", [this](http::Request r) { return models(std::move(r)); });
        router.add("GET", "/health", [](http::Request r) { return health(std::move(r)); });
    }

  private:
    static io::Task<http::Response> health(http::Request) {
        co_return http::Response::json(200, R"({"status":"ok"})");
    }

    io::Task<http::Response> models(http::Request) {
        co_return http::Response::json(
            200, R"({"object":"list","data":[{"id":")" + script_.model +
                     R"(","object":"model","created":1700000000,"owned_by":"mock"}]})"
        );
    }

    io::Task<http::Response> chat(http::Request request) {
        if (script_.status != 200)
            co_return http::Response::json(
                script_.status,
                R"({"error":{"message":"scripted failure","type":"server_error","param":null,"code":null}})"
            );
        const Result<routing::ChatRequest> wanted = routing::scan_chat_request(request.body);
        if (!wanted)
            co_return http::Response::json(
                400,
                R"({"error":{"message":"not a chat request","type":"invalid_request_error","param":null,"code":null}})"
            );
        const std::int64_t tokens =
            std::min(script_.tokens, wanted->output_tokens_max.value_or(script_.tokens));
        const std::string usage = usage_of(*wanted, tokens);
        if (!wanted->stream) co_return co_await whole(tokens, usage);
        const bool tells_usage = wanted->include_usage;
        const std::int64_t hold_after = hold_of(request.body);
        co_return http::Response::event_stream([this, tokens, usage, tells_usage,
                                                hold_after](http::BodyWriter writer) {
            return stream(writer, tokens, tells_usage ? usage : std::string(), hold_after);
        });
    }

    // After how many tokens a stream is to fall silent, so that whoever leaves it then has received
    // exactly these; -1: never.
    static std::int64_t hold_of(std::string_view body) {
        const std::size_t at = body.find(kHoldMark);
        std::int64_t tokens = -1;
        if (at != std::string_view::npos) {
            const std::string_view rest = body.substr(at + kHoldMark.size());
            std::from_chars(rest.data(), rest.data() + rest.size(), tokens);
        }
        return tokens;
    }

    // Until the reader has gone: a comment that it does not see finds out.
    static io::Task<void> hold(http::BodyWriter writer) {
        for (int step = 0; step < kHoldStepsMax; ++step) {
            co_await io::sleep_for(kHoldStep);
            if (!co_await writer.write(": held\n\n")) co_return;
        }
        writer.abort();
    }

    // The prompt counts one token for each four bytes of its texts.
    static std::string usage_of(const routing::ChatRequest& request, std::int64_t tokens) {
        const std::int64_t prompt = 1 + request.prompt_text_bytes / 4;
        return R"("usage":{"prompt_tokens":)" + std::to_string(prompt) +
               R"(,"completion_tokens":)" + std::to_string(tokens) + R"(,"total_tokens":)" +
               std::to_string(prompt + tokens) + "}";
    }

    io::Task<http::Response> whole(std::int64_t tokens, std::string usage) {
        if (script_.delay + script_.gap * tokens > Duration{0})
            co_await io::sleep_for(script_.delay + script_.gap * tokens);
        std::string text;
        for (std::int64_t i = 0; i < tokens; ++i) text += kWord;
        co_return http::Response::json(
            200,
            R"({"id":"chatcmpl-mock","object":"chat.completion","created":1700000000,"model":")" +
                script_.model +
                R"(","choices":[{"index":0,"message":{"role":"assistant","content":")" + text +
                R"("},"finish_reason":"stop"}],)" + usage + "}"
        );
    }

    std::string event(std::string_view delta, std::string_view finish) const {
        return "data: " + head_ + R"("choices":[{"index":0,"delta":)" + std::string(delta) +
               R"(,"finish_reason":)" + std::string(finish) + "}]}\n\n";
    }

    io::Task<void> stream(
        http::BodyWriter writer, std::int64_t tokens, std::string usage, std::int64_t hold_after
    ) {
        const std::string piece = event(R"({"content":"word "})", "null");
        if (!co_await writer.write(event(R"({"role":"assistant","content":""})", "null")))
            co_return;
        // By the clock, not by the token before: a stream that waits for another would keep that
        // delay, meet a third, and soon all would come together.
        auto due = std::chrono::steady_clock::now();
        for (std::int64_t i = 0; i < tokens; ++i) {
            if (i == script_.cut_after) co_return writer.abort();
            if (i == hold_after) co_return co_await hold(writer);
            Duration wait = i > 0 ? script_.gap : Duration{0};
            if (i == script_.delay_after) wait += script_.delay;
            if (wait > Duration{0}) {
                due += wait;
                if (script_.in_step) due -= due.time_since_epoch() % script_.gap;
                co_await io::sleep_until(io::Deadline::at(due));
            }
            if (!co_await writer.write(piece)) co_return;
        }
        if (!co_await writer.write(event("{}", "\"stop\""))) co_return;
        if (!usage.empty() &&
            !co_await writer.write("data: " + head_ + "\"choices\":[]," + usage + "}\n\n"))
            co_return;
        static_cast<void>(co_await writer.write("data: [DONE]\n\n"));
    }

    Script script_;
    std::string head_;
};

int run(int argc, char** argv) {
    Script script;
    http::ServerOptions options;
    std::string delay = "0s";
    std::string gap = "0s";
    CLI::App app("A scripted engine that speaks OpenAI's chat dialect.");
    app.add_option("--host", options.host)->capture_default_str();
    app.add_option("--port", options.port, "0: the system chooses")->capture_default_str();
    app.add_option("--model", script.model)->capture_default_str();
    app.add_option("--tokens", script.tokens, "per answer")->capture_default_str();
    app.add_option("--delay", delay, "before the first token")->capture_default_str();
    app.add_option(
           "--delay-after", script.delay_after, "in a stream: so many tokens come before the delay"
    )
        ->capture_default_str();
    app.add_option("--gap", gap, "between tokens")->capture_default_str();
    app.add_flag("--in-step", script.in_step, "all streams have their tokens at the same moments");
    app.add_option("--cut-after", script.cut_after, "tokens after which a stream breaks");
    app.add_option("--status", script.status, "answer every chat with this status")
        ->capture_default_str();
    CLI11_PARSE(app, argc, argv);
    const Result<Duration> delay_span = parse_duration(delay);
    const Result<Duration> gap_span = parse_duration(gap);
    if (!delay_span || !gap_span) {
        std::fprintf(stderr, "%s\n", (delay_span ? gap_span : delay_span).error().message.c_str());
        return 2;
    }
    script.delay = *delay_span;
    script.gap = *gap_span;
    if (script.in_step && script.gap <= Duration{0}) {
        std::fprintf(stderr, "--in-step: needs --gap above 0\n");
        return 2;
    }
    io::Runtime runtime;
    MockEngine engine(std::move(script));
    http::Router router;
    engine.add_routes(router);
    http::Server server(runtime, router, options);
    if (const Result<void> started = server.start(); !started) {
        std::fprintf(stderr, "%s\n", to_string(started.error()).c_str());
        return 1;
    }
    std::printf("%s\n", server.url().c_str());
    std::fflush(stdout);
    runtime.on_signal([&](int) { runtime.stop(); });
    runtime.run();
    runtime.block_on(server.stop(io::Deadline::after(0s)));
    return 0;
}

}  // namespace
}  // namespace penstock

int main(int argc, char** argv) { return penstock::run(argc, argv); }
