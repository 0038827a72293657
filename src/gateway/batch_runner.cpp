// SPDX-License-Identifier: Apache-2.0
#include "gateway/batch_runner.h"

#include <algorithm>
#include <charconv>

#include "batches/input_line.h"
#include "batches/room.h"

namespace penstock::gateway {
namespace {

constexpr Duration kRetryAfterDefault = 1s;

std::string body_of(http::Response& response) {
    std::string* text = std::get_if<std::string>(&response.body);
    return text == nullptr ? std::string() : std::move(*text);
}

Duration retry_after_of(const http::Response& response) {
    const std::string_view text = response.headers.get("Retry-After");
    std::int64_t seconds = 0;
    const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), seconds);
    if (error != std::errc() || end != text.data() + text.size() || seconds < 0)
        return kRetryAfterDefault;
    return std::chrono::seconds(seconds);
}

// Time helps: the engine is loaded or broken, or the gateway has no room.
bool may_pass(int status) { return status == 408 || status == 429 || status >= 500; }

// The line has ended, is to be tried once more, or was asked of nobody.
LineEnd end_of(const http::Response& response, bool was_asked) {
    const bool final = response.headers.get("x-should-retry") == "false";
    if (!may_pass(response.status) || final) {
        // The key has just been refused here: the server looks at it when it gives the line again.
        return response.status == 401 && !was_asked ? LineEnd::returned : LineEnd::answered;
    }
    return was_asked ? LineEnd::failed : LineEnd::returned;
}

}  // namespace

BatchRunner::BatchRunner(Parts parts, io::Executor executor, RunId run)
    : parts_(parts),
      run_(run),
      reported_(std::move(executor)),
      in_flight_(&parts.registry.gauge(
          "penstock_gateway_batch_lines_in_flight", "Lines of batches that engines work on."
      )) {}

void BatchRunner::on_routes(const std::vector<Route>& routes) {
    endpoints_.clear();
    sellers_.clear();
    for (const Route& route : routes) {
        endpoints_[route.endpoint.model].push_back(route.endpoint.id);
        if (route.endpoint.batch_percent) sellers_.insert(route.endpoint.id);
    }
}

// ---- room ----

std::int64_t BatchRunner::room_at(const EndpointId& id) const {
    const std::shared_ptr<const Route> route = parts_.calls.endpoints.find(id);
    if (!route || route->endpoint.state != EndpointState::ready || !sellers_.contains(id)) return 0;
    const auto found = lines_at_.find(id);
    const std::int64_t lines = found == lines_at_.end() ? 0 : found->second;
    return batches::room_for_lines(
        {.calls = std::max<std::int64_t>(0, parts_.calls.endpoints.in_flight(id) - lines),
         .lines = lines,
         .held = static_cast<std::int64_t>(parts_.held.held(route->endpoint.model))}
    );
}

std::vector<LineRoom> BatchRunner::rooms() const {
    std::vector<LineRoom> rooms;
    if (paused_ || !parts_.routes_known || running_.size() >= kUnreportedMax) return rooms;
    for (const auto& [model, ids] : endpoints_) {
        LineRoom room{.model = model};
        for (const EndpointId& id : ids) room.lines += room_at(id);
        if (room.lines > 0) rooms.push_back(std::move(room));
    }
    return rooms;
}

const EndpointId* BatchRunner::place_for(const std::string& model) const {
    const auto found = endpoints_.find(model);
    if (found == endpoints_.end()) return nullptr;
    const EndpointId* best = nullptr;
    std::int64_t most = 0;
    for (const EndpointId& id : found->second) {
        const std::int64_t room = room_at(id);
        if (room <= most) continue;
        most = room;
        best = &id;
    }
    return best;
}

std::vector<EndpointId> BatchRunner::all_but(const std::string& model, const EndpointId& id) const {
    std::vector<EndpointId> others = endpoints_.at(model);
    std::erase(others, id);
    return others;
}

// ---- claims ----

ClaimLines BatchRunner::question(Duration wait) const {
    return {
        .replica = parts_.options.replica,
        .run_id = run_,
        .room = rooms(),
        .running = std::vector<LineTry>(running_.begin(), running_.end()),
        .wait = wait
    };
}

io::Task<void> BatchRunner::claim_forever() {
    Duration asked_at{};
    bool heard = true;
    while (true) {
        const bool idle = sellers_.empty() && running_.empty();
        const bool has_room = !rooms().empty();
        const Duration now = parts_.calls.clock.monotonic();
        if (idle || (!has_room && now - asked_at < kRenewEvery)) {
            co_await io::sleep_for(kLookAgain);
            continue;
        }
        asked_at = now;
        Result<ClaimedLines> answer =
            co_await parts_.server.claim_lines(question(has_room ? kClaimWait : Duration{}));
        if (!answer && heard)
            parts_.log.warning(
                "lines of batches cannot be asked for", {{"error", to_string(answer.error())}}
            );
        heard = answer.has_value();
        if (!answer) {
            co_await io::sleep_for(kBackOff);
            continue;
        }
        for (ClaimedLine& line : answer->lines) {
            running_.insert(line.line);
            parts_.tasks.spawn(run_line(std::move(line)));
        }
    }
}

// ---- one line ----

io::Task<void> BatchRunner::run_line(ClaimedLine line) {
    const auto read = batches::read_line(
        R"({"custom_id":"x","method":"POST","url":")" + line.url + R"(","body":)" + line.body + "}",
        line.url
    );
    const std::string model = read ? read->model : std::string();
    const EndpointId* place = place_for(model);
    const io::Deadline until = io::Deadline::after(kRoomWaitMax);
    while (place == nullptr && !until.passed()) {
        co_await io::sleep_for(kLookAgain);
        place = place_for(model);
    }
    auto call = std::make_shared<BatchCall>();
    if (place == nullptr) {
        put_report(line, call, http::Response::empty(503));
        co_return;
    }
    const EndpointId at = *place;  // the table may change meanwhile
    call->key = std::make_shared<const ResolvedKey>(line.key);
    call->id = line.record_id;
    call->line = to_string(line.line.batch_id) + "/" + std::to_string(line.line.line + 1);
    call->excluded = all_but(model, at);
    struct InFlight {
        std::map<EndpointId, std::int64_t>& lines;
        telemetry::Gauge& gauge;
        EndpointId id;
        InFlight(std::map<EndpointId, std::int64_t>& of, telemetry::Gauge& shown, EndpointId where)
            : lines(of), gauge(shown), id(where) {
            ++lines[id];
            gauge.add(1);
        }
        ~InFlight() {
            if (--lines[id] == 0) lines.erase(id);
            gauge.add(-1);
        }
        InFlight(const InFlight&) = delete;
        InFlight& operator=(const InFlight&) = delete;
    };
    http::Response response;
    {
        const InFlight counted(lines_at_, *in_flight_, at);
        response = co_await ask(&line, call);
    }
    put_report(line, call, std::move(response));
}

io::Task<http::Response> BatchRunner::ask(const ClaimedLine* line, BatchCallPtr call) {
    http::Request request{.method = "POST", .target = line->url, .path = line->url};
    // A line wakes no service: it waits until a replica is there for somebody.
    request.headers.set("x-penstock-wait", "0s");
    request.context = std::move(call);
    if (line->url == "/v1/embeddings")
        return parts_.converted.serve_embeddings_body(std::move(request), line->body);
    if (line->url == "/v1/responses")
        return parts_.converted.serve_body(
            std::move(request), line->body, dialects::Dialect::responses
        );
    return parts_.chat.serve_body(std::move(request), line->body);
}

void BatchRunner::put_report(const ClaimedLine& line, BatchCallPtr call, http::Response response) {
    Report report{
        .told =
            {.line = line.line,
             .end = end_of(response, call->record.has_value()),
             .custom_id = line.custom_id,
             .status = response.status,
             .record = call->record},
        .call = std::move(call)
    };
    if (report.told.end == LineEnd::returned)
        report.told.retry_after = retry_after_of(response);
    else
        report.told.body = body_of(response);
    reports_.push_back(std::move(report));
    reported_.notify_all();
}

// ---- reports ----

ReportLines BatchRunner::next_reports() {
    ReportLines report{.replica = parts_.options.replica, .run_id = run_};
    std::size_t bytes = 0;
    for (const Report& one : reports_) {
        if (report.lines.size() == kReportLinesMax) break;
        bytes += one.told.body.size();
        if (bytes > kReportBytesMax && !report.lines.empty()) break;
        report.lines.push_back(one.told);
    }
    return report;
}

// What the server settled is charged; of what another had reported before, nothing.
void BatchRunner::acknowledge(std::size_t count, const ReportedLines& answer) {
    for (; count > 0; --count) {
        Report& report = reports_.front();
        BatchCall& call = *report.call;
        if (call.record && std::ranges::find(answer.settled, call.id) != answer.settled.end())
            call.hold.settle(call.actual);
        running_.erase(report.told.line);
        reports_.pop_front();
    }
}

io::Task<void> BatchRunner::report_forever() {
    while (true) {
        while (reports_.empty()) co_await reported_.wait();
        while (!parts_.file.is_clear()) co_await io::sleep_for(kLookAgain);
        const ReportLines report = next_reports();
        const std::size_t count = report.lines.size();
        const Result<ReportedLines> answer = co_await parts_.server.report_lines(report);
        if (answer) {
            acknowledge(count, *answer);
            continue;
        }
        parts_.log.warning(
            "answers of batches cannot be reported now",
            {{"lines", count}, {"error", to_string(answer.error())}}
        );
        co_await io::sleep_for(kBackOff);
    }
}

}  // namespace penstock::gateway
