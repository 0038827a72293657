// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <filesystem>
#include <functional>
#include <iosfwd>
#include <memory>
#include <optional>
#include <string>

#include "client/connection.h"
#include "client/watch.h"
#include "model/allowance.h"
#include "model/batch_explanation.h"
#include "model/page.h"
#include "model/plan.h"
#include "model/task_profile.h"

// The platform's API as typed calls, for the command line, agents and other platforms. Every noun
// that a route takes in its path may be an id or a name; both are encoded here.
namespace penstock::client {

struct ListQuery {
    std::optional<std::int64_t> page_size;
    std::string page_token;
    std::string filter;    // "state=RUNNING AND name=train"
    std::string order_by;  // "created_at desc"
    http::Query more;      // what only this list takes: {"as", "provider"}
};
// Pages that one list_all() may take; more are an error, never a silent cut.
constexpr int kPagesMax = 10'000;
constexpr std::int64_t kPageSizeAll = 500;

struct LogQuery {
    std::optional<std::int64_t> since;  // cursor: lines behind it
    std::optional<std::int64_t> item;
    std::optional<std::int64_t> limit;
};

using Done = Result<void>;

class Client {
  public:
    Client(io::Runtime& runtime, Random& random, ConnectionOptions options)
        : connection_(runtime, random, std::move(options)) {}
    Connection& connection() { return connection_; }

    // One page of GET `path`; Page is one of model/page.h.
    template <class Page>
    io::Task<Result<Page>> list(std::string path, ListQuery query);
    // All pages as one, without a next_page_token.
    template <class Page>
    io::Task<Result<Page>> list_all(std::string path, ListQuery query);

    // `request_id` is the Idempotency-Key; make one per intention and keep it over restarts.
    io::Task<Result<Task>> create_task(TaskSpec spec, std::string request_id);
    io::Task<Result<Plan>> plan_task(TaskSpec spec);
    io::Task<Result<Task>> task(std::string id);
    io::Task<Result<Task>> cancel_task(std::string id);
    io::Task<Result<Task>> retry_task(std::string id);
    io::Task<Result<Explanation>> explain_task(std::string id);
    io::Task<Result<TaskProfile>> profile_task(TaskSpec spec);
    io::Task<Result<TaskProfile>> task_profile(std::string id);
    io::Task<Result<LogPage>> task_logs(std::string id, LogQuery query);
    // Messages hold an Event each.
    Watch watch_task(const std::string& id, std::int64_t since = -1);
    Watch watch_events(std::int64_t since = -1);
    // Messages hold a LogLine each.
    Watch watch_task_logs(
        const std::string& id, std::int64_t since = -1, std::optional<std::int64_t> item = {}
    );

    // One output, written beside `to` and renamed onto it only when its hash is right.
    io::Task<Done> download_output(std::string task, OutputFile output, std::filesystem::path to);
    // Sends the file unless the platform has it already; tells whether it was sent.
    io::Task<Result<bool>> upload_blob(std::string sha256, std::filesystem::path file);
    io::Task<Done> download_blob(std::string sha256, std::filesystem::path to);

    io::Task<Result<Site>> create_site(SiteSpec spec);
    io::Task<Result<Site>> site(std::string id);
    io::Task<Result<Site>> update_site(std::string id, SiteSpec spec);
    io::Task<Result<OutlookView>> outlook(std::string site);
    io::Task<Result<OutlookView>> state_outlook(std::string site, OutlookSpec spec);
    io::Task<Result<Node>> node(std::string id);
    io::Task<Result<DecisionRecord>> decision(std::string id);
    io::Task<Result<Node>> cordon_node(std::string id);
    io::Task<Result<Node>> uncordon_node(std::string id);

    // `organisation` empty: the caller's own; another one needs an operator.
    io::Task<Result<CreatedKey>> create_key(CreateKey key, std::string organisation = {});
    io::Task<Result<Key>> get_key(std::string id);
    io::Task<Result<Key>> update_key(std::string id, UpdateKey change);
    io::Task<Done> delete_key(std::string id);
    io::Task<Result<Organisation>> create_organisation(CreateOrganisation organisation);
    io::Task<Result<Project>> create_project(CreateProject project);
    io::Task<Result<Organisation>> organisation(std::string id);
    io::Task<Result<Project>> project(std::string id);
    io::Task<Result<Organisation>> update_organisation(std::string id, UpdateLimits change);
    io::Task<Result<Project>> update_project(std::string id, UpdateLimits change);
    io::Task<Result<WhoAmI>> whoami();

    io::Task<Result<Wallet>> wallet();
    io::Task<Result<Wallet>> top_up(TopUp top_up);
    // `account`: wallet or earnings, empty for the wallet.
    io::Task<Result<Statement>> statement(std::string account = {}, std::string organisation = {});
    io::Task<Result<SettlementReport>> settlement();
    io::Task<Result<GenerationAnswer>> generation(std::string call_id);

    io::Task<Result<Endpoint>> create_endpoint(CreateEndpoint endpoint);
    io::Task<Result<Endpoint>> endpoint(std::string id);
    io::Task<Result<Endpoint>> update_endpoint(std::string id, UpdateEndpoint change);
    io::Task<Done> delete_endpoint(std::string id);
    // The input of a batch; at most 200 MiB, read into memory.
    io::Task<Result<FileObject>> upload_batch_input(std::filesystem::path file);
    io::Task<Result<BatchObject>> create_batch(CreateBatch batch);
    io::Task<Result<BatchObject>> batch(std::string id);
    io::Task<Result<BatchObject>> cancel_batch(std::string id);
    io::Task<Result<BatchExplanation>> explain_batch(std::string id);
    // Newest first, at most `limit`; goes on behind `after`.
    io::Task<Result<BatchList>> batches(std::int64_t limit, std::string after = {});
    io::Task<Done> file_content(std::string id, std::ostream* to);
    // Newest first; `purpose` empty: of any.
    struct FileQuery {
        std::int64_t limit = 0;
        std::string after = {};
        std::string purpose = {};
    };
    io::Task<Result<FileList>> files(FileQuery query);
    io::Task<Result<FileObject>> file(std::string id);
    io::Task<Done> delete_file(std::string id);
    // What carries a C-URL or registration code: the answer's shape depends on what it is.
    io::Task<Result<json::Text>> identifier(std::string c_url_or_code);

    io::Task<Result<GatewayStatus>> gateway(std::string name);
    io::Task<Result<GatewayStatus>> drain_gateway(std::string name);
    io::Task<Result<GatewayStatus>> undrain_gateway(std::string name);

    // Of a gateway. `wait` bounds the long poll.
    io::Task<Result<RouteTable>> routes(std::int64_t version, Duration wait);
    io::Task<Result<ResolvedKey>> resolve_key(ResolveKey key);
    io::Task<Result<GrantedAllowances>> acquire_allowances(AcquireAllowances request);
    io::Task<Result<SettledCalls>> settle_calls(SettleCalls calls);

    io::Task<Result<Version>> version();
    // Nothing when the server says it is ready to serve.
    io::Task<Done> ready();

  private:
    io::Task<Done> download(
        std::string path, http::Query query, std::string sha256, std::filesystem::path to
    );
    Connection connection_;
};

}  // namespace penstock::client
