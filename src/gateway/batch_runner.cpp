// SPDX-License-Identifier: Apache-2.0
#include "gateway/batch_runner.h"

#include <algorithm>
#include <charconv>
#include <set>

#include "batches/input_line.h"
#include "batches/room.h"
#include "gateway/api_answer.h"

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

io::Task<http::Response> refused(BatchFault fault) {
    co_return error_response(routing::invalid_request(
        std::move(fault.message), std::move(fault.param).value_or(""), std::move(fault.code)
    ));
}

}  // namespace

BatchRunner::BatchRunner(Parts parts, io::Executor executor, RunId run)
    : parts_(parts),
      run_(run),
      reported_(executor),
      routes_changed_(std::move(executor)),
      in_flight_(&parts.registry.gauge(
          "penstock_gateway_batch_lines_in_flight", "Lines of batches that engines work on."
      )) {}

void BatchRunner::on_routes(const std::vector<Route>& routes) {
    endpoints_.clear();
    sellers_.clear();
    for (const Route& route : routes) {
        const Endpoint& endpoint = route.endpoint;
        endpoints_[endpoint.model].push_back(endpoint.id);
        if (endpoint.batch_percent && sellers_.size() < kUsesMax)
            sellers_.push_back({endpoint.id, endpoint.model});
    }
    routes_changed_.notify_all();
}

// ---- what this gateway carries ----

std::int64_t BatchRunner::lines_at(const EndpointId& id) const {
    return std::ranges::count_if(running_, [&](const auto& entry) {
        return entry.second.call->asked == id;
    });
}

EndpointUse BatchRunner::use_of(const EndpointId& id) const {
    EndpointUse use{.endpoint_id = id, .open = false};
    const auto standing = parts_.calls.endpoints.standing(id, parts_.calls.clock.now());
    if (!standing) return use;
    use.open = standing->open && !paused_;
    use.calls = std::max<std::int64_t>(0, standing->in_flight - lines_at(id));
    if (standing->load) {
        use.cache_used_share = standing->load->cache_used_share;
        use.engine_calls_waiting = standing->load->calls_waiting;
    }
    return use;
}

ReportUses BatchRunner::uses(Duration wait) const {
    ReportUses report{.replica = parts_.options.replica, .run_id = run_, .wait = wait};
    std::set<std::string_view> models;
    for (const Seller& seller : sellers_) {
        report.uses.push_back(use_of(seller.id));
        const auto held = static_cast<std::int64_t>(parts_.held.held(seller.model));
        if (held > 0 && models.insert(seller.model).second)
            report.held.push_back({seller.model, held});
    }
    return report;
}

namespace {

// What the server would give lines by. Calls beyond those that take all room change nothing.
bool tells_the_same(const ReportUses& left, const ReportUses& right) {
    const auto same = [](const EndpointUse& one, const EndpointUse& other) {
        const auto load = [](const EndpointUse& use) {
            return batches::EndpointLoad{
                .calls = use.calls,
                .cache_used_share = use.cache_used_share,
                .engine_calls_waiting = use.engine_calls_waiting
            };
        };
        return one.endpoint_id == other.endpoint_id && one.open == other.open &&
               batches::room_for_lines(load(one)) == batches::room_for_lines(load(other));
    };
    return std::ranges::equal(left.uses, right.uses, same) &&
           std::ranges::equal(left.held, right.held, {}, &ModelHeld::model, &ModelHeld::model);
}

}  // namespace

io::Task<void> BatchRunner::tell_uses_forever() {
    bool watched = false, heard = true, told = false;
    while (true) {
        while (!parts_.routes_known || (sellers_.empty() && !told)) co_await routes_changed_.wait();
        const ReportUses report = uses(watched ? Duration{} : kUsesWait);
        const Result<TakenUses> taken = co_await parts_.server.report_uses(report);
        if (!taken && heard)
            parts_.log.warning(
                "the server cannot be told what endpoints carry: it gives their room to no batch",
                {{"error", to_string(taken.error())}}
            );
        heard = taken.has_value();
        told = heard && !sellers_.empty();
        watched = heard && taken->watched;
        const io::Deadline until = io::Deadline::after(heard ? kUsesEvery : kBackOff);
        do {
            co_await io::sleep_for(kLookAgain);
        } while (!until.passed() && (!heard || (watched && tells_the_same(report, uses({})))));
    }
}

// ---- claims ----

ClaimLines BatchRunner::question() const {
    ClaimLines question{.replica = parts_.options.replica, .run_id = run_};
    if (!paused_ && parts_.routes_known && !sellers_.empty() && running_.size() < kUnreportedMax)
        question.room = static_cast<std::int64_t>(kUnreportedMax - running_.size());
    if (question.room > 0) question.wait = kClaimWait;
    for (const auto& [line, running] : running_)
        question.running.push_back({line, running.endpoint_id});
    return question;
}

io::Task<void> BatchRunner::claim_forever() {
    Duration asked_at{};
    bool heard = true;
    while (true) {
        while (sellers_.empty() && running_.empty()) co_await routes_changed_.wait();
        const ClaimLines asked = question();
        const Duration now = parts_.calls.clock.monotonic();
        if (asked.room == 0 && now - asked_at < kRenewEvery) {
            co_await io::sleep_for(kLookAgain);
            continue;
        }
        asked_at = now;
        Result<ClaimedLines> answer = co_await parts_.server.claim_lines(asked);
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
            running_[line.line] = {line.endpoint_id, std::make_shared<BatchCall>()};
            parts_.tasks.spawn(run_line(std::move(line)));
        }
    }
}

// ---- one line ----

std::vector<EndpointId> BatchRunner::all_but(const EndpointId& id) const {
    const std::shared_ptr<const Route> route = parts_.calls.endpoints.find(id);
    const auto found = route ? endpoints_.find(route->endpoint.model) : endpoints_.end();
    if (found == endpoints_.end()) return {};
    std::vector<EndpointId> others = found->second;
    std::erase(others, id);
    return others;
}

bool BatchRunner::may_begin(const EndpointId& id) const {
    const EndpointUse use = use_of(id);
    return use.open &&
           batches::room_for_lines({.calls = use.calls, .lines = lines_at(id)}).lines > 0;
}

io::Task<void> BatchRunner::run_line(ClaimedLine line) {
    const BatchCallPtr call = running_.at(line.line).call;
    // It went since the server decided; the next uses tell it.
    if (!may_begin(line.endpoint_id)) {
        give_back(line, call);
        co_return;
    }
    call->key = std::make_shared<const ResolvedKey>(line.key);
    call->id = line.record_id;
    call->line = to_string(line.line.batch_id) + "/" + std::to_string(line.line.line + 1);
    call->excluded = all_but(line.endpoint_id);
    struct InFlight {
        telemetry::Gauge& gauge;
        explicit InFlight(telemetry::Gauge& shown) : gauge(shown) { gauge.add(1); }
        ~InFlight() { gauge.add(-1); }
        InFlight(const InFlight&) = delete;
        InFlight& operator=(const InFlight&) = delete;
    };
    http::Response response;
    {
        const InFlight counted(*in_flight_);
        response = co_await ask(&line, call);
    }
    put_report(line, call, std::move(response));
}

io::Task<http::Response> BatchRunner::ask(const ClaimedLine* line, BatchCallPtr call) {
    // Of a batch that was made when such lines were let in.
    if (std::optional<BatchFault> routed = batches::routing_fault(line->body))
        return refused(*std::move(routed));
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

void BatchRunner::give_back(const ClaimedLine& line, BatchCallPtr call) {
    reports_.push_back(
        {.told = {.line = line.line, .end = LineEnd::returned, .custom_id = line.custom_id},
         .call = std::move(call)}
    );
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
