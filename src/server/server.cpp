// SPDX-License-Identifier: Apache-2.0
#include "server/server.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <filesystem>
#include <fstream>

#include "dispatch/pool_policy.h"
#include "server/batch_owner.h"
#include "server/composites.h"
#include "server/elastic.h"
#include "server/openai_routes.h"
#include "server/routes.h"
#include "server/services.h"
#include "server/time_sharing.h"
#include "server/turn_shelf.h"

namespace penstock::server {
namespace {

constexpr std::size_t kPoolThreads = 2;

std::unexpected<Error> file_error(const std::filesystem::path& path, std::string_view what) {
    return fail_field(
        errno == ENOSPC ? ErrorCode::resource_exhausted : ErrorCode::unavailable, "state_dir",
        "cannot " + std::string(what) + " " + path.string() + ": " + std::strerror(errno)
    );
}

// Mode 0600 from the start, whole or absent.
Result<void> write_secret(const std::filesystem::path& path, const std::string& secret) {
    const std::filesystem::path temporary = path.string() + ".new";
    const int fd = ::open(temporary.c_str(), O_CREAT | O_WRONLY | O_TRUNC | O_CLOEXEC, 0600);
    if (fd < 0) return file_error(temporary, "make");
    const std::string line = secret + "\n";
    const bool ok = ::fchmod(fd, 0600) == 0 &&
                    ::write(fd, line.data(), line.size()) == std::ssize(line) && ::fsync(fd) == 0;
    ::close(fd);
    if (!ok || ::rename(temporary.c_str(), path.c_str()) != 0) return file_error(path, "write");
    return {};
}

Result<std::string> read_secret(const std::filesystem::path& path) {
    std::ifstream input(path);
    std::string secret;
    if (!std::getline(input, secret)) return file_error(path, "read");
    return secret;
}

}  // namespace

struct Server::State {
    State(io::Runtime& runtime_in, http::Router& router_in, ServerOptions options_in)
        : runtime(runtime_in),
          router(router_in),
          options(std::move(options_in)),
          pool(kPoolThreads),
          client(runtime),
          group(runtime.executor(), "server") {}

    io::Runtime& runtime;
    http::Router& router;
    ServerOptions options;
    SystemClock clock;
    SystemRandom random;
    telemetry::Registry metrics;
    io::Pool pool;
    http::Client client;
    std::unique_ptr<storage::Store> store;
    std::unique_ptr<Platform> platform;
    std::unique_ptr<Api> api;
    std::unique_ptr<Billing> billing;
    std::unique_ptr<BlobStore> blobs;
    std::unique_ptr<LogStore> logs;
    std::unique_ptr<FileShelf> shelf;
    std::unique_ptr<OpenAiRoutes> openai;
    std::unique_ptr<BatchOwner> batches;
    std::unique_ptr<TurnShelf> turns;
    std::unique_ptr<AgentHub> hub;
    std::unique_ptr<Dispatcher> dispatcher;
    std::unique_ptr<ElasticServices> elastic;
    std::unique_ptr<GatewayBook> gateways;
    io::TaskGroup group;

    std::filesystem::path file(std::string_view name) const {
        return options.platform.state_dir / name;
    }

    Result<void> open() {
        TRY(check_time_sharing(options.platform.time_sharing));
        std::error_code error;
        std::filesystem::create_directories(options.platform.state_dir, error);
        if (error) {
            errno = error.value();
            return file_error(options.platform.state_dir, "make");
        }
        const std::string url =
            options.store_url.empty()
                ? "sqlite://" + std::filesystem::absolute(file("penstock.db")).string()
                : options.store_url;
        store = TRY(storage::open(url));
        platform = std::make_unique<Platform>(
            runtime, *store, options.platform, clock, random, options.log, metrics
        );
        TRY(platform->restore());
        blobs = std::make_unique<BlobStore>(file("blobs"), pool);
        logs = std::make_unique<LogStore>(file("logs"), pool, runtime.executor());
        shelf = std::make_unique<FileShelf>(file("files"), *platform, pool);
        TRY(blobs->open());
        TRY(shelf->open());
        return logs->open();
    }

    Result<void> wire() {
        api = std::make_unique<Api>(*platform, router);
        billing = std::make_unique<Billing>(*platform);
        hub = std::make_unique<AgentHub>(*api, *logs);
        dispatcher = std::make_unique<Dispatcher>(*platform, *billing, *hub);
        elastic = std::make_unique<ElasticServices>(*platform);
        add_health_routes(*api, router, options.version);
        add_access_routes(*api, *billing);
        add_limit_routes(*api, *billing, pool);
        add_fleet_routes(*api);
        add_outlook_routes(*api);
        add_decision_routes(*api);
        add_task_routes(*api, *dispatcher);
        add_composite_routes(*api);
        add_file_routes(*api, *blobs, *logs);
        add_watch_routes(*api, *logs, pool);
        add_billing_routes(*api, *billing, pool);
        add_event_routes(*api, pool);
        add_endpoint_routes(*api, client, *blobs, pool);
        gateways = std::make_unique<GatewayBook>(*platform);
        add_gateway_routes(*api, *billing, *gateways, pool);
        add_gateway_views(*api, *gateways);
        elastic->add_routes(*api);
        add_identity_routes(*api);
        hub->add_routes();
        return wire_stateful_apis();
    }

    Result<void> wire_stateful_apis() {
        batches = std::make_unique<BatchOwner>(
            *platform, *billing, *shelf, pool, BatchOwner::Options{file("batches")}
        );
        openai = std::make_unique<OpenAiRoutes>(*api, router);
        const StatefulParts parts{platform.get(), shelf.get(), batches.get()};
        add_openai_file_routes(*openai, parts);
        add_batch_routes(*openai, parts);
        turns = std::make_unique<TurnShelf>(file("responses"), *platform, pool);
        add_turn_routes(*openai, *turns);
        TRY(turns->open());
        return batches->open();
    }

    Result<std::string> make_key(
        Change& change, const Organisation& organisation, ProjectId project, std::string name,
        std::vector<Scope> scopes
    ) {
        const access::NewKey key = TRY(platform->directory.add_key(
            {.id = platform->make_id<KeyId>(),
             .organisation_id = organisation.id,
             .project_id = project,
             .name = std::move(name),
             .scopes = std::move(scopes),
             .created_at = platform->now()},
            access::make_secret(random)
        ));
        platform->put(change, key.stored);
        return key.secret;
    }

    // Everything of the first start is one transaction; key files are written first, since a key
    // without its file would be lost for ever, and a file without its key is overwritten by the
    // next start.
    Result<FirstKeys> bootstrap(Change& change) {
        const Organisation organisation = TRY(platform->directory.add_organisation(
            {.id = platform->make_id<OrganisationId>(),
             .name = options.organisation,
             .code = options.organisation_code,
             .roles = {Role::consumer, Role::provider, Role::operator_},
             .created_at = platform->now()}
        ));
        const Project project = TRY(platform->directory.add_project(
            {.id = platform->make_id<ProjectId>(),
             .organisation_id = organisation.id,
             .name = "default",
             .created_at = platform->now()}
        ));
        platform->put(change, organisation);
        platform->put(change, project);
        TRY(billing->open_accounts(change, organisation));
        std::vector<Scope> user_scopes = access::scopes_of(Role::consumer);
        user_scopes.push_back(Scope::provider);
        FirstKeys keys;
        keys.operator_key =
            TRY(make_key(change, organisation, project.id, "operator", {Scope::operator_}));
        keys.user_key = TRY(make_key(change, organisation, project.id, "user", user_scopes));
        keys.gateway_key =
            TRY(make_key(change, organisation, project.id, "gateway", {Scope::gateway}));
        TRY(write_secret(file(kOperatorKeyFile), keys.operator_key));
        TRY(write_secret(file(kUserKeyFile), keys.user_key));
        TRY(write_secret(file(kGatewayKeyFile), keys.gateway_key));
        if (options.development_credit > Money())
            TRY(billing->top_up(
                change, organisation.id, options.development_credit, "development-credit",
                ledger::TransferCode::grant
            ));
        return keys;
    }
};

Server::Server(io::Runtime& runtime, http::Router& router, ServerOptions options)
    : state_(std::make_unique<State>(runtime, router, std::move(options))) {}
Server::~Server() = default;

io::Task<Result<FirstKeys>> Server::start() {
    State& s = *state_;
    CO_TRY(s.open());
    CO_TRY(s.wire());
    FirstKeys keys;
    if (s.platform->directory.empty()) {
        Change change;
        keys = CO_TRY(s.bootstrap(change));
        CO_TRY(co_await s.platform->committed(s.platform->commit(std::move(change))));
    } else {
        keys = {
            CO_TRY(read_secret(s.file(kOperatorKeyFile))),
            CO_TRY(read_secret(s.file(kUserKeyFile))), CO_TRY(read_secret(s.file(kGatewayKeyFile)))
        };
    }
    s.group.spawn(s.dispatcher->run());
    s.group.spawn(s.elastic->run());
    s.group.spawn(s.batches->run());
    s.group.spawn(s.turns->run());
    co_return keys;
}

io::Task<Result<std::string>> Server::ensure_site(SiteSpec spec) {
    State& s = *state_;
    const std::filesystem::path key_file = s.file("agent-" + spec.name + ".key");
    if (s.platform->fleet.find_site(std::string_view(spec.name)) != nullptr)
        co_return read_secret(key_file);
    const Organisation& provider = *s.platform->directory.find_organisation(s.options.organisation);
    Change change;
    Site site{
        .id = s.platform->make_id<SiteId>(),
        .provider_id = provider.id,
        .provider = provider.name,
        .spec = std::move(spec),
        .created_at = s.platform->now(),
        .updated_at = s.platform->now()
    };
    CO_TRY(fleet::validate(site.spec));
    CO_TRY(dispatch::validate_policies(site.spec));
    site.c_url = CO_TRY(issue_resource_code(*s.platform, change, site.spec, provider));
    site = CO_TRY(s.platform->fleet.add_site(std::move(site)));
    s.platform->put(change, site);
    const access::NewKey key = CO_TRY(s.platform->directory.add_key(
        {.id = s.platform->make_id<KeyId>(),
         .organisation_id = provider.id,
         .project_id = s.platform->directory.projects_of(provider.id).front()->id,
         .name = "agent-" + site.spec.name,
         .scopes = {Scope::agent},
         .site_id = site.id,
         .created_at = s.platform->now()},
        access::make_secret(s.random)
    ));
    s.platform->put(change, key.stored);
    CO_TRY(write_secret(key_file, key.secret));
    CO_TRY(co_await s.platform->committed(s.platform->commit(std::move(change))));
    co_return key.secret;
}

void Server::begin_stop() {
    if (state_->platform) state_->platform->begin_stop();
    if (state_->gateways) state_->gateways->notify();
}

io::Task<void> Server::stop() {
    State& s = *state_;
    if (s.hub) co_await s.hub->close();
    co_await s.group.close();
    if (s.platform) (void)co_await s.platform->committed(s.platform->last_ticket());
}

Result<std::string> describe_api(
    io::Runtime& runtime, http::Router& router, const Version& version
) {
    std::string folder =
        (std::filesystem::temp_directory_path() / "penstock-openapi-XXXXXX").string();
    if (::mkdtemp(folder.data()) == nullptr) return file_error(folder, "make");
    ServerOptions options;
    options.platform.state_dir = folder;
    options.version = version;
    std::string document;
    {
        Server server(runtime, router, std::move(options));
        if (const auto started = runtime.block_on(server.start()); !started)
            return std::unexpected(started.error());
        document = openapi_document(router, version);
        runtime.block_on(server.stop());
    }
    std::error_code ignored;  // a left-over temporary folder harms nobody
    std::filesystem::remove_all(folder, ignored);
    return document;
}

bool Server::failed() const { return state_->platform && state_->platform->failed(); }
telemetry::Registry& Server::metrics() { return state_->metrics; }

}  // namespace penstock::server
