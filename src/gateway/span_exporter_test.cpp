// SPDX-License-Identifier: Apache-2.0
#include "gateway/span_exporter.h"

#include <gtest/gtest.h>

#include <boost/json.hpp>

#include "gateway/gateway_fixture.h"

// Spans of real calls before a collector that answers as it is told.
namespace penstock::gateway {
namespace {

constexpr std::string_view kTrace = "4bf92f3577b34da6a3ce929d0e0e4736";
constexpr std::string_view kClientSpan = "00f067aa0ba902b7";
constexpr std::string_view kSecret = "hello there, engine";  // of the prompt

struct Collector {
    explicit Collector(io::Runtime& runtime) : server(runtime, router_with(*this), {}) {
        EXPECT_TRUE(server.start());
    }
    static http::Router& router_with(Collector& self) {
        self.router.add("POST", "/v1/traces", [&self](http::Request request) {
            return self.take(std::move(request));
        });
        return self.router;
    }
    io::Task<http::Response> take(http::Request request) {
        ++asked;
        if (status == 200) bodies.push_back(request.body);
        const int told = std::exchange(status, status_then);
        co_return http::Response::json(told, "{}");
    }
    // Of all bodies.
    std::vector<boost::json::object> spans() const {
        std::vector<boost::json::object> all;
        for (const std::string& body : bodies)
            for (const auto& span : boost::json::parse(body)
                                        .at_pointer("/resourceSpans/0/scopeSpans/0/spans")
                                        .as_array())
                all.push_back(span.as_object());
        return all;
    }

    int status = 200;
    int status_then = 200;
    int asked = 0;
    std::vector<std::string> bodies;
    http::Router router;
    http::Server server;
};

std::string attribute(const boost::json::object& span, std::string_view key) {
    for (const auto& each : span.at("attributes").as_array())
        if (each.at("key").as_string() == key) {
            const auto& value = each.at("value").as_object().begin()->value();
            return value.is_string() ? std::string(value.as_string())
                                     : boost::json::serialize(value);
        }
    return {};
}

http::Headers with_trace(bool sampled) {
    http::Headers headers;
    headers.add(
        "traceparent",
        "00-" + std::string(kTrace) + "-" + std::string(kClientSpan) + (sampled ? "-01" : "-00")
    );
    return headers;
}

struct Scene {
    Scene() : collector(f.runtime) {
        f.options.spans_url = collector.server.url() + "/";
        f.add_engine(whole_answer());
        f.restart_gateway();
        f.apply_routes();
    }
    ~Scene() { f.runtime.block_on(collector.server.stop(io::Deadline::after(0s))); }
    Scene(const Scene&) = delete;
    Scene& operator=(const Scene&) = delete;

    Fixture f;
    Collector collector;
};

TEST(SpanExporter, ASampledCallIsASpanOfItsClientsTrace) {
    Scene scene;
    const ClientAnswer answer = scene.f.ask(std::string(kChat), with_trace(true));
    ASSERT_EQ(answer.status, 200);
    scene.f.wait_until([&] { return !scene.collector.bodies.empty(); }, "the collector has it");
    const auto spans = scene.collector.spans();
    ASSERT_EQ(spans.size(), 1U);
    const boost::json::object& span = spans[0];
    EXPECT_EQ(span.at("traceId").as_string(), kTrace);
    EXPECT_EQ(span.at("parentSpanId").as_string(), kClientSpan);
    EXPECT_EQ(span.at("name").as_string(), "chat m");
    EXPECT_FALSE(span.contains("status"));
    EXPECT_EQ(attribute(span, "gen_ai.usage.input_tokens"), "10");
    EXPECT_EQ(attribute(span, "gen_ai.usage.output_tokens"), "3");
    EXPECT_EQ(attribute(span, "penstock.call.id"), answer.headers.get("x-penstock-call"));
    // What the engine got is a child of this span.
    const std::string sent(scene.f.engines[0]->requests[0].headers.get("traceparent"));
    EXPECT_EQ(sent.substr(36, 16), span.at("spanId").as_string());
    for (const std::string& body : scene.collector.bodies) {
        EXPECT_FALSE(body.contains(kSecret));
        EXPECT_FALSE(body.contains(scene.f.key));
    }
}

TEST(SpanExporter, ACallThatIsNotSampledIsNotTold) {
    Scene scene;
    ASSERT_EQ(scene.f.ask(std::string(kChat), with_trace(false)).status, 200);
    ASSERT_EQ(scene.f.ask(std::string(kChat), with_trace(true)).status, 200);
    scene.f.wait_until([&] { return !scene.collector.bodies.empty(); }, "the collector has one");
    EXPECT_EQ(scene.collector.spans().size(), 1U);
}

TEST(SpanExporter, AFailedCallSaysHow) {
    Scene scene;
    scene.f.engines[0]->script = {.status = 500, .content_type = "application/json"};
    EXPECT_EQ(scene.f.ask(std::string(kChat), with_trace(true)).status, 502);
    scene.f.wait_until([&] { return !scene.collector.bodies.empty(); }, "the collector has it");
    const auto spans = scene.collector.spans();
    ASSERT_EQ(spans.size(), 1U);
    EXPECT_EQ(spans[0].at("status").at("code").as_int64(), 2);
    EXPECT_EQ(attribute(spans[0], "error.type"), "upstream_error");
    EXPECT_EQ(attribute(spans[0], "http.response.status_code"), "502");
}

TEST(SpanExporter, ACollectorThatIsBusyIsAskedAgain) {
    Scene scene;
    scene.collector.status = 503;
    ASSERT_EQ(scene.f.ask(std::string(kChat), with_trace(true)).status, 200);
    scene.f.wait_until(
        [&] {
            return scene.f.metrics().contains(R"(penstock_gateway_spans_total{outcome="sent"} 1)");
        },
        "it is sent"
    );
    EXPECT_EQ(scene.collector.asked, 2);
    EXPECT_EQ(scene.collector.bodies.size(), 1U);
}

TEST(SpanExporter, WhatACollectorRefusesIsDroppedAndCounted) {
    Scene scene;
    scene.collector.status = scene.collector.status_then = 400;
    ASSERT_EQ(scene.f.ask(std::string(kChat), with_trace(true)).status, 200);
    scene.f.wait_until(
        [&] {
            return scene.f.metrics().contains(R"(penstock_gateway_spans_total{outcome="dropped"} 1)"
            );
        },
        "it is dropped"
    );
    EXPECT_EQ(scene.collector.asked, 1);
}

TEST(SpanExporter, WhatWaitsIsBounded) {
    Fixture f;
    telemetry::Registry registry;
    SpanExporter exporter(
        f.runtime.executor(), f.client, {.url = "http://127.0.0.1:9", .instance = "g"}, f.log,
        registry
    );
    for (std::size_t i = 0; i < SpanExporter::kWaitingMax + 7; ++i) exporter.add({});
    EXPECT_EQ(exporter.waiting(), SpanExporter::kWaitingMax);
    EXPECT_TRUE(registry.render().contains(R"(penstock_gateway_spans_total{outcome="dropped"} 7)"));
}

}  // namespace
}  // namespace penstock::gateway
