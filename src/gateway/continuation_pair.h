// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <gtest/gtest.h>

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "gateway/gateway_fixture.h"

// For tests of streams that another engine goes on with.
namespace penstock::gateway {

inline const std::string kBroken =
    "data: {\"id\":\"c1\",\"choices\":[{\"index\":0,\"delta\":{\"content\":\"one \"}}]}\n\n";

inline std::string word(std::string_view text) {
    return "data: {\"id\":\"c2\",\"choices\":[{\"index\":0,\"delta\":{\"content\":\"" +
           std::string(text) + "\"}}]}\n\n";
}
inline std::string usage(int prompt, int made) {
    return "data: {\"choices\":[],\"usage\":{\"prompt_tokens\":" + std::to_string(prompt) +
           ",\"completion_tokens\":" + std::to_string(made) +
           ",\"total_tokens\":" + std::to_string(prompt + made) + "}}\n\n";
}
inline const std::string kStop =
    "data: {\"choices\":[{\"index\":0,\"delta\":{},\"finish_reason\":\"stop\"}]}\n\n";
inline const std::string kDone = "data: [DONE]\n\n";
inline const std::string kError = "data: {\"error\":{\"message\":\"out of memory\"}}\n\n";

inline std::string chat(std::string_view more = "") {
    return R"({"model":"m","messages":[{"role":"user","content":"hello there, engine"}],)"
           R"("max_tokens":50,"stream":true,"stream_options":{"include_usage":true},)"
           R"("provider":{"sort":"price"})" +
           std::string(more) + "}";
}

// An engine that breaks, which is the cheaper one and so the first, and one that goes on.
struct Pair : Fixture {
    Pair(EngineScript first, EngineScript second) {
        add_engine(std::move(first));
        add_engine(std::move(second));
        routes[1].endpoint.price_input = *parse_price("3");
        routes[1].endpoint.price_output = *parse_price("4");
        routes[1].endpoint.continuation = penstock::Continuation::final_message;
        apply_routes();
    }
    ClientAnswer ask_on(const std::string& body, const std::string& path = "/v1/chat/completions") {
        return ask_at(path, body, {{"x-penstock-stream-failure", "continue"}});
    }
    // "upstream_error 0+1 counted; done 5+2 upstream overlap 1", in the order of their ids.
    std::string told(std::size_t count) {
        wait_for_records(count);
        constexpr const char* kEnds[] = {"done",    "client_gone",   "upstream_error",
                                         "timeout", "gateway_crash", "refused"};
        constexpr const char* kBases[] = {"upstream", "counted", "estimated"};
        std::string all;
        for (const auto& [id, call] : server.records) {
            all += (all.empty() ? "" : "; ") +
                   std::string(kEnds[static_cast<std::size_t>(call.end_reason)]) + " " +
                   std::to_string(call.tokens.input_fresh.value_or(0)) + "+" +
                   std::to_string(call.tokens.output_visible.value_or(0)) + " " +
                   kBases[static_cast<std::size_t>(call.basis)];
            if (call.overlap_tokens) all += " overlap " + std::to_string(*call.overlap_tokens);
        }
        return all;
    }
    void expect_nothing_held() {
        wait_until(
            [&] { return metrics().contains("penstock_gateway_holds_open 0\n"); }, "no open hold"
        );
    }
};

inline EngineScript breaks(std::vector<std::string> pieces = {kBroken}) {
    return {.pieces = std::move(pieces), .end = EngineScript::End::cut};
}
inline EngineScript goes_on() {
    return {.pieces = {word("two "), word("three"), kStop, usage(6, 2), kDone}};
}

inline void expect_refusal(Pair& f, const std::string& body, const std::string& why) {
    const ClientAnswer answer = f.ask_on(body);
    EXPECT_TRUE(answer.cut);
    EXPECT_NE(answer.body.find("not continued: " + why), std::string::npos) << answer.body;
    EXPECT_TRUE(f.engines[1]->requests.empty());
    f.wait_for_records(1);
    EXPECT_FALSE(f.server.records.begin()->second.continued_by);
    f.expect_nothing_held();
}

// An open stream of a call that may be continued.
class OpenStream {
  public:
    explicit OpenStream(Pair& f) : f_(f) {
        http::ClientRequest request{
            .method = "POST", .url = f.front->url() + "/v1/chat/completions"
        };
        request.headers.add("Authorization", "Bearer " + f.key);
        request.headers.add("x-penstock-stream-failure", "continue");
        request.body = chat();
        Result<http::ResponseStream> opened =
            f.runtime.block_on(f.client.open(std::move(request), io::Deadline::after(10s)));
        EXPECT_TRUE(opened) << to_string(opened.error());
        if (opened) stream_ = *std::move(opened);
    }
    const std::string& got() const { return got_; }
    // Reads until one of the two has come; what came until then.
    const std::string& read_until(std::string_view either, std::string_view other) {
        while (stream_ && !got_.contains(either) && !got_.contains(other)) {
            const Result<std::string_view> piece =
                f_.runtime.block_on(stream_->read(io::Deadline::after(10s)));
            EXPECT_TRUE(piece && !piece->empty()) << got_;
            if (!piece || piece->empty()) break;
            got_ += *piece;
        }
        return got_;
    }

  private:
    Pair& f_;
    std::optional<http::ResponseStream> stream_;
    std::string got_;
};

}  // namespace penstock::gateway
