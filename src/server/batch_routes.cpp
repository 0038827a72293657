// SPDX-License-Identifier: Apache-2.0
#include "batches/life.h"
#include "http/problem.h"
#include "server/batch_owner.h"
#include "server/openai_routes.h"

// /v1/batches, and what gateways ask about their lines.
namespace penstock::server {
namespace {

constexpr std::size_t kPageBatches = 20;
constexpr std::size_t kPageBatchesMax = 100;
constexpr std::size_t kReportBodyMax = 96UL * 1024 * 1024;
constexpr std::size_t kReportLinesMax = 64;
constexpr std::size_t kReplicaNameMax = 128;

std::string shown_text(const StatefulParts& parts, BatchId id) {
    return json::print(batches::shown(parts.platform->batches.at(id)));
}

io::Task<http::Response> create(
    StatefulParts parts, access::Principal principal, http::Request request
) {
    const std::expected<CreateBatch, Failure> wanted = body_as<CreateBatch>(request);
    if (!wanted) co_return openai_error(wanted.error().errors);
    Change change;
    const Result<BatchId> id = parts.batches->create(change, principal, *wanted);
    if (!id) co_return openai_error(id.error());
    std::string body = shown_text(parts, *id);
    keep_for_repetition(*parts.platform, change, principal, request, body);
    parts.platform->commit(std::move(change));
    co_return co_await openai_answer(parts.platform, std::move(body));
}

Result<BatchList> batches_of(
    const Platform& platform, const access::Principal& principal, const http::Request& request
) {
    const OpenAiPage page = TRY(openai_page(request, kPageBatches, kPageBatchesMax));
    std::vector<BatchId> ids;
    for (const auto& [id, batch] : platform.batches)
        if (batch.organisation_id == principal.organisation_id &&
            batch.project_id == principal.project_id)
            ids.push_back(id);
    return openai_list<BatchList>(std::move(ids), page, [&](BatchId id) {
        return batches::shown(platform.batches.at(id));
    });
}

io::Task<http::Response> list(
    StatefulParts parts, access::Principal principal, http::Request request
) {
    const Result<BatchList> page = batches_of(*parts.platform, principal, request);
    if (!page) co_return openai_error(page.error());
    co_return co_await openai_answer(parts.platform, json::print(*page));
}

io::Task<http::Response> get(
    StatefulParts parts, access::Principal principal, http::Request request
) {
    const Result<const StoredBatch*> batch =
        parts.batches->find(principal, request.param("batch_id"));
    if (!batch) co_return openai_error(batch.error());
    co_return co_await openai_answer(parts.platform, json::print(batches::shown(**batch)));
}

io::Task<http::Response> explain(
    StatefulParts parts, access::Principal principal, http::Request request
) {
    const Result<const StoredBatch*> batch =
        parts.batches->find(principal, request.param("batch_id"));
    if (!batch) co_return openai_error(batch.error());
    co_return co_await openai_answer(parts.platform, json::print(parts.batches->explain(**batch)));
}

io::Task<http::Response> cancel(
    StatefulParts parts, access::Principal principal, http::Request request
) {
    const Result<const StoredBatch*> batch =
        parts.batches->find(principal, request.param("batch_id"));
    if (!batch) co_return openai_error(batch.error());
    const BatchId id = (*batch)->id;
    Change change;
    if (const Result<void> cancelled = parts.batches->cancel(change, id); !cancelled)
        co_return openai_error(cancelled.error());
    std::string body = shown_text(parts, id);
    parts.platform->commit(std::move(change));
    co_return co_await openai_answer(parts.platform, std::move(body));
}

// ---- gateways ----

std::unexpected<Error> wrong(std::string field, std::string message) {
    return fail_field(ErrorCode::invalid_argument, std::move(field), std::move(message));
}

Result<void> check(const ClaimLines& wanted) {
    if (wanted.replica.empty() || wanted.replica.size() > kReplicaNameMax)
        return wrong("replica", "must have 1 to 128 characters");
    if (wanted.room < 0) return wrong("room", "is a number of lines, at least 0");
    return {};
}

io::Task<http::Response> take_uses(StatefulParts parts, access::Principal, http::Request request) {
    std::expected<ReportUses, Failure> told = body_as<ReportUses>(request);
    if (!told) co_return http::problem_response(told.error().errors, request);
    const Result<TakenUses> taken = co_await parts.batches->report_uses(*std::move(told));
    if (!taken) co_return http::problem_response(taken.error(), request);
    co_return http::Response::json(200, json::print(*taken));
}

io::Task<http::Response> claim(StatefulParts parts, access::Principal, http::Request request) {
    std::expected<ClaimLines, Failure> wanted = body_as<ClaimLines>(request);
    if (!wanted) co_return http::problem_response(wanted.error().errors, request);
    if (const Result<void> fine = check(*wanted); !fine)
        co_return http::problem_response(fine.error(), request);
    const ClaimedLines lines = co_await parts.batches->claim(*std::move(wanted));
    co_return http::Response::json(200, json::print(lines));
}

io::Task<http::Response> report(StatefulParts parts, access::Principal, http::Request request) {
    if (const Result<void> room = parts.platform->check_room(); !room)
        co_return http::problem_response(room.error(), request, 507);
    std::expected<ReportLines, Failure> told = body_as<ReportLines>(request);
    if (!told) co_return http::problem_response(told.error().errors, request);
    if (told->lines.size() > kReportLinesMax)
        co_return http::problem_response(
            wrong("lines", "at most 64 in one request: send several").error(), request
        );
    const Result<ReportedLines> done = co_await parts.batches->report(*std::move(told));
    if (!done) co_return http::problem_response(done.error(), request);
    co_return http::Response::json(200, json::print(*done));
}

void add_gateway_routes(Api& api, StatefulParts parts) {
    http::RouteOptions options;
    options.body_max = kReportBodyMax;
    api.raw(
        "POST", "/v1/gateway/batches:uses",
        {.operation = "reportBatchUses",
         .summary = "What a gateway carries at endpoints that sell batches; a long poll",
         .scope = Scope::gateway,
         .request = json::schema<ReportUses>,
         .response = json::schema<TakenUses>},
        [parts](access::Principal p, http::Request r) {
            return take_uses(parts, std::move(p), std::move(r));
        }
    );
    api.raw(
        "POST", "/v1/gateway/batches:claim",
        {.operation = "claimBatchLines",
         .summary = "Lines of batches, and where each is to run; waits while there are none",
         .scope = Scope::gateway,
         .request = json::schema<ClaimLines>,
         .response = json::schema<ClaimedLines>},
        [parts](access::Principal p, http::Request r) {
            return claim(parts, std::move(p), std::move(r));
        }
    );
    api.raw(
        "POST", "/v1/gateway/batches:report",
        {.operation = "reportBatchLines",
         .summary = "How lines ended, with their bills; repeating a report changes nothing",
         .scope = Scope::gateway,
         .request = json::schema<ReportLines>,
         .response = json::schema<ReportedLines>},
        [parts](access::Principal p, http::Request r) {
            return report(parts, std::move(p), std::move(r));
        },
        std::move(options)
    );
}

}  // namespace

void add_batch_routes(OpenAiRoutes& routes, StatefulParts parts) {
    const auto bound = [parts](auto* handler) {
        return [parts, handler](access::Principal p, http::Request r) {
            return handler(parts, std::move(p), std::move(r));
        };
    };
    routes.add(
        "POST", "/v1/batches",
        {.operation = "createBatch",
         .summary = "Run the lines of a file in idle capacity, at batch prices (OpenAI's API)",
         .request = json::schema<CreateBatch>,
         .response = json::schema<BatchObject>},
        bound(&create)
    );
    routes.add(
        "GET", "/v1/batches",
        {.operation = "listBatches",
         .summary = "Batches of the project (OpenAI's API)",
         .response = json::schema<BatchList>,
         .query = {"after", "limit"}},
        bound(&list)
    );
    routes.add(
        "GET", "/v1/batches/{batch_id}",
        {.operation = "getBatch",
         .summary = "One batch (OpenAI's API)",
         .response = json::schema<BatchObject>},
        bound(&get)
    );
    routes.add(
        "GET", "/v1/batches/{batch_id}:explain",
        {.operation = "explainBatch",
         .summary = "Why lines of a batch wait, and when it is expected to end",
         .response = json::schema<BatchExplanation>},
        bound(&explain)
    );
    routes.add(
        "POST", "/v1/batches/{batch_id}/cancel",
        {.operation = "cancelBatch",
         .summary = "Begin no further lines; what is done is kept (OpenAI's API)",
         .response = json::schema<BatchObject>},
        bound(&cancel)
    );
    add_gateway_routes(routes.api(), parts);
}

}  // namespace penstock::server
