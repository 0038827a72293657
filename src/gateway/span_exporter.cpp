// SPDX-License-Identifier: Apache-2.0
#include "gateway/span_exporter.h"

#include <algorithm>
#include <iterator>

namespace penstock::gateway {
namespace {

telemetry::Counter& spans_counter(telemetry::Registry& registry, std::string_view outcome) {
    return registry.counter(
        "penstock_gateway_spans_total", "Spans of sampled calls, by what became of them.",
        {{"outcome", outcome}}
    );
}

}  // namespace

SpanExporter::SpanExporter(
    io::Executor executor, http::Client& client, Options options, telemetry::Logger log,
    telemetry::Registry& registry
)
    : client_(client),
      options_(std::move(options)),
      log_(std::move(log)),
      came_(std::move(executor)),
      sent_(spans_counter(registry, "sent")),
      dropped_(spans_counter(registry, "dropped")) {
    while (options_.url.ends_with('/')) options_.url.pop_back();
}

std::unique_ptr<telemetry::Span> SpanExporter::begin(const CallTrace& trace) const {
    if (options_.url.empty() || !trace.sampled) return nullptr;
    auto span = std::make_unique<telemetry::Span>();
    span->trace_id = trace.id;
    span->id = trace.span_id();
    span->parent = trace.client_span;
    span->trace_state = trace.state;
    return span;
}

void SpanExporter::add(telemetry::Span span) {
    if (waiting_.size() == kWaitingMax) return drop(1, "too many wait");
    waiting_.push_back(std::move(span));
    came_.notify_all();
}

void SpanExporter::drop(std::size_t spans, const std::string& why) {
    dropped_.add(spans);
    if (std::exchange(told_, true)) return;
    log_.warning(
        "spans are dropped: the calls are not concerned",
        {{"why", why}, {"collector", options_.url}}
    );
}

io::Task<void> SpanExporter::send_forever() {
    while (!options_.url.empty()) {
        while (waiting_.empty()) co_await came_.wait();
        const io::Deadline gathered = io::Deadline::after(kGatherFor);
        while (waiting_.size() < kBatchMax && co_await came_.wait(gathered)) {
        }
        co_await send_batch(io::Deadline::none());
    }
}

io::Task<void> SpanExporter::flush(io::Deadline deadline) {
    while (!waiting_.empty() && !deadline.passed()) co_await send_batch(deadline);
}

io::Task<void> SpanExporter::send_batch(io::Deadline deadline) {
    const std::size_t count = std::min(waiting_.size(), kBatchMax);
    const std::string body = telemetry::to_otlp_json(
        std::span(waiting_).first(count), {{"service.name", std::string("penstock-gateway")},
                                           {"service.instance.id", options_.instance}}
    );
    waiting_.erase(waiting_.begin(), waiting_.begin() + static_cast<std::ptrdiff_t>(count));
    Duration pause = kBackOff;
    for (int tries = 1;; ++tries) {
        const Sent sent = co_await post(&body, deadline);
        if (sent == Sent::yes) {
            sent_.add(count);
            told_ = false;
            co_return;
        }
        if (sent == Sent::never) co_return drop(count, "the collector refuses them");
        if (tries == kTriesMax || deadline.passed())
            co_return drop(count, "the collector does not take them");
        co_await io::sleep_for(pause);
        pause *= 2;
    }
}

io::Task<SpanExporter::Sent> SpanExporter::post(const std::string* body, io::Deadline deadline) {
    http::ClientRequest request{.method = "POST", .url = options_.url + "/v1/traces"};
    request.headers.add("Content-Type", "application/json");
    request.body = *body;
    const Result<http::ClientResponse> response = co_await client_.send(
        std::move(request), io::earlier(deadline, io::Deadline::after(kAnswerMax))
    );
    if (!response) co_return Sent::later;
    if (response->ok()) co_return Sent::yes;
    // The statuses that OTLP calls worth another try.
    const bool later = response->status == 429 || response->status == 502 ||
                       response->status == 503 || response->status == 504;
    co_return later ? Sent::later : Sent::never;
}

}  // namespace penstock::gateway
