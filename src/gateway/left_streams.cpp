// SPDX-License-Identifier: Apache-2.0
#include "gateway/left_streams.h"

namespace penstock::gateway {
namespace {

telemetry::Counter& counter_of(telemetry::Registry& registry, std::string_view outcome) {
    return registry.counter(
        "penstock_gateway_left_streams_total",
        "Streams that were left and whose engines bill them to the end, by what became of them.",
        {{"outcome", outcome}}
    );
}

}  // namespace

LeftStreams::LeftStreams(telemetry::Registry& registry)
    : open_(registry.gauge(
          "penstock_gateway_left_streams_open",
          "Streams that are read to their end after their client has left."
      )),
      whole_(counter_of(registry, "read_to_end")),
      cut_(counter_of(registry, "cut")),
      refused_(counter_of(registry, "too_many")) {}

io::Task<bool> LeftStreams::read_to_end(
    http::ResponseStream* stream, io::Deadline deadline, std::function<Came(std::string_view)> take
) {
    if (reading_ == kAtOnceMax) {
        refused_.add();
        co_return false;
    }
    struct Reading {
        explicit Reading(LeftStreams& of) : all(of) { all.open_.set(double(++all.reading_)); }
        ~Reading() { all.open_.set(double(--all.reading_)); }
        Reading(const Reading&) = delete;
        Reading& operator=(const Reading&) = delete;
        LeftStreams& all;
    };
    const Reading counted(*this);
    const bool whole =
        co_await read(stream, io::earlier(deadline, io::Deadline::after(kReadFor)), &take);
    (whole ? whole_ : cut_).add();
    co_return whole;
}

io::Task<bool> LeftStreams::read(
    http::ResponseStream* stream, io::Deadline deadline,
    const std::function<Came(std::string_view)>* take
) {
    std::size_t bytes = 0;
    while (bytes <= kBytesMax) {
        const Result<std::string_view> piece = co_await stream->read(deadline);
        if (!piece) co_return false;
        bytes += piece->size();
        const Came came = (*take)(*piece);
        if (came != Came::more) co_return came == Came::end;
        if (piece->empty()) co_return false;
    }
    co_return false;
}

}  // namespace penstock::gateway
