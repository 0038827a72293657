// SPDX-License-Identifier: Apache-2.0
#include "agent/agent.h"

#include <fmt/format.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <filesystem>

#include "agent/backoff.h"
#include "agent/session.h"
#include "base/check.h"
#include "drivers/cgroup.h"
#include "drivers/process_driver.h"
#include "io/runtime.h"

namespace penstock::agent {
namespace {

namespace fs = std::filesystem;
constexpr Duration kSteadyAfter = 10s;  // a session that lasted this long resets the back-off
constexpr Duration kProbeEvery = 1min;  // of the accelerators' health
constexpr Duration kAgentIdleTimeout = kNodeLostAfter;

// This program by its own path: what is at the path now may be a newer version, and that is right.
std::string own_path() {
    std::array<char, 4096> path{};
    const ssize_t size = readlink("/proc/self/exe", path.data(), path.size() - 1);
    return std::string(path.data(), size > 0 ? static_cast<std::size_t>(size) : 0);
}

drivers::ProcessDriverOptions driver_options(const AgentOptions& options) {
    drivers::ProcessDriverOptions made;
    made.state_dir = (options.state_dir / "runs").string();
    made.supervisor = options.supervisor;
    if (made.supervisor.empty()) made.supervisor = {own_path(), "internal-supervise"};
    for (const fs::path& path : options.runtime_paths)
        made.runtimes.push_back({path.string(), "", false});
    made.use_cgroups = options.use_cgroups;
    made.cgroup_name = options.cgroup_name;
    made.uid_first = options.uid_first;
    made.uid_count = options.uid_count;
    return made;
}

devices::ProbeOptions probe_options(const AgentOptions& options) {
    devices::ProbeOptions made;
    for (const SimulatedAccelerators& pretend : options.simulated_accelerators)
        made.pretend.push_back(
            {pretend.model, pretend.count, pretend.memory_mib << 20, pretend.per_link_domain}
        );
    // In a container the host has more than this agent may use: only that is offered.
    const drivers::Limits own = drivers::read_own_limits(drivers::read_cgroup_layout());
    made.cpu_milli_max = own.cpu_milli;
    made.memory_bytes_max = own.memory_bytes;
    return made;
}

std::string websocket_url(const std::string& server_url) {
    std::string url = server_url;
    while (url.ends_with('/')) url.pop_back();
    if (url.starts_with("http")) url.replace(0, 4, "ws");
    return url + "/v1/agent/session";
}

http::ClientOptions client_options() {
    http::ClientOptions options;
    options.user_agent = "penstock-agent";
    options.websocket_idle_timeout = kAgentIdleTimeout;
    return options;
}

std::string base_url(std::string url) {
    while (url.ends_with('/')) url.pop_back();
    return url;
}

// What is found at the start, on the pool.
struct Found {
    std::unique_ptr<AttemptStore> store;
    std::unique_ptr<drivers::Driver> driver;
    devices::Inventory inventory;
    std::vector<AttemptRecord> records;
    std::vector<drivers::Status> runs;
    std::vector<std::string> warnings;
};

Result<Found> look_around(const AgentOptions& options) {
    Found found;
    found.store =
        std::make_unique<AttemptStore>(TRY(AttemptStore::open(options.state_dir.string())));
    found.driver = TRY(drivers::ProcessDriver::open(driver_options(options)));
    const fs::path scratch = options.state_dir / "scratch";
    std::error_code error;
    fs::remove_all(scratch, error);  // archives that an earlier agent was fetching or packing
    TRY(drivers::make_directory(scratch.string(), 0700));
    found.records = TRY(found.store->load(found.warnings));
    found.runs = TRY(found.driver->adopt());
    found.inventory = devices::probe(probe_options(options));
    for (const devices::Alarm& alarm : found.inventory.alarms)
        found.warnings.push_back(alarm.source + ": " + alarm.text);
    return found;
}

}  // namespace

// Everything that lives from run() to stop(). `parts_` comes with the start.
class Agent::Core {
  public:
    Core(io::Runtime& runtime, AgentOptions options)
        : runtime_(runtime),
          options_(std::move(options)),
          log_(options_.log.component("agent")),
          client_(runtime, client_options()),
          blobs_(client_, files_, base_url(options_.server_url), options_.key),
          outbox_changed_(runtime.executor()),
          released_(runtime.executor()),
          wake_(runtime.executor()),
          own_(runtime.executor(), "agent") {}

    io::Task<Result<void>> run() {
        CHECK(!started_, "run() is called once");
        started_ = true;
        own_.spawn(main());
        while (!ended_) co_await wake_.wait();
        co_return std::move(*ended_);
    }

    io::Task<void> stop() {
        stopping_ = true;
        if (session_) session_->abort();
        wake_.notify_all();
        if (started_)
            while (!ended_) co_await wake_.wait();
        co_await own_.close();
    }

    bool connected() const { return parts_ && parts_->context.connected; }

  private:
    struct Parts {
        Parts(Core& core, Found found)
            : store(std::move(found.store)),
              driver(std::move(found.driver)),
              inventory(std::move(found.inventory)),
              outbox(store->sequence()),
              context{
                  .options = core.options_,
                  .executor = core.runtime_.executor(),
                  .clock = core.clock_,
                  .boot = core.boot_,
                  .files = core.files_,
                  .engine = core.engine_,
                  .stops = core.stops_,
                  .store = *store,
                  .driver = *driver,
                  .probes = core.client_,
                  .blobs = core.blobs_,
                  .inventory = inventory.devices,
                  .outbox = outbox,
                  .outbox_changed = core.outbox_changed_,
                  .released = core.released_,
                  .scratch = (core.options_.state_dir / "scratch").string(),
                  .log = core.log_,
              },
              attempts(context) {}
        std::unique_ptr<AttemptStore> store;
        std::unique_ptr<drivers::Driver> driver;
        devices::Inventory inventory;
        Outbox outbox;
        Context context;
        Attempts attempts;
    };

    io::Task<void> main() {
        Result<Found> found = co_await files_.run([this] { return look_around(options_); });
        if (!found) {
            end(std::unexpected(std::move(found.error())));
            co_return;
        }
        for (const std::string& warning : found->warnings)
            log_.warning("found at the start", {{"what", warning}});
        std::vector<AttemptRecord> records = std::move(found->records);
        const std::vector<drivers::Status> runs = std::move(found->runs);
        parts_ = std::make_unique<Parts>(*this, *std::move(found));
        log_.info(
            "started", {{"node", options_.node_name},
                        {"attempts", records.size()},
                        {"cpu_milli", total().cpu_milli},
                        {"memory_mib", total().memory_mib}}
        );
        parts_->attempts.adopt(std::move(records), runs);
        own_.spawn(watch_devices());
        co_await stay_connected();
        co_await parts_->attempts.close();
        end({});
    }

    // A node without accelerators has nothing to watch.
    io::Task<void> watch_devices() {
        Context& context = parts_->context;
        while (!context.inventory.empty()) {
            context.device_problem = health_problem(context.inventory);
            co_await io::sleep_for(kProbeEvery);
            const devices::Inventory now =
                co_await engine_.run([this] { return devices::probe(probe_options(options_)); });
            refresh_health(context.inventory, now.devices);
        }
    }

    void end(Result<void> result) {
        ended_ = std::move(result);
        wake_.notify_all();
    }

    io::Task<void> stopped() {
        while (!stopping_) co_await wake_.wait();
    }

    // Dials, forever. A session that was refused is tried again like one that was cut: keys are
    // replaced and servers come back.
    io::Task<void> stay_connected() {
        Backoff backoff(options_.reconnect.first, options_.reconnect.longest);
        while (!stopping_) {
            const Duration began = clock_.monotonic();
            const Result<void> ended = co_await one_session();
            if (stopping_) break;
            if (clock_.monotonic() - began > kSteadyAfter) backoff.reset();
            const Duration wait = backoff.next(random_);
            log_.warning(
                "not connected",
                {{"cause", ended ? "the server closed the session" : to_string(ended.error())},
                 {"again_in_ms", to_ms(wait)}}
            );
            co_await io::race(slept(wait), stopped());
        }
    }
    static io::Task<bool> slept(Duration span) {
        co_await io::sleep_for(span);
        co_return true;
    }

    io::Task<Result<void>> one_session() {
        auto dialled = co_await io::race(
            client_.connect_websocket(
                websocket_url(options_.server_url), {{"Authorization", "Bearer " + options_.key}},
                io::Deadline::after(options_.reconnect.dial_timeout)
            ),
            stopped()
        );
        if (!dialled) co_return Result<void>{};
        std::unique_ptr<http::WebSocket> socket = CO_TRY(*std::move(dialled));
        session_ =
            std::make_unique<Session>(parts_->context, parts_->attempts, load_, std::move(socket));
        if (stopping_) session_->abort();
        const Result<void> ended = co_await session_->run(hello());
        session_.reset();
        co_return ended;
    }

    Capacity total() const {
        const devices::Inventory& found = parts_->inventory;
        Capacity capacity;
        capacity.cpu_milli = std::min(
            options_.cpu_milli.value_or(found.processors.cpu_milli), found.processors.cpu_milli
        );
        capacity.memory_mib = std::min(
            options_.memory_mib.value_or(found.memory_bytes >> 20), found.memory_bytes >> 20
        );
        capacity.accelerator_milli = accelerator_capacity(parts_->context.inventory);
        return capacity;
    }

    AgentHello hello() const {
        const devices::Inventory& found = parts_->inventory;
        AgentHello hello;
        hello.node = options_.node_name;
        hello.boot_id = boot_id_;
        hello.version = options_.version;
        hello.address = options_.service_address;
        hello.cpu_model = found.processors.model;
        hello.total = total();
        hello.devices = described(parts_->context.inventory);
        hello.enforces = parts_->driver->enforces();
        hello.labels = options_.labels;
        hello.simulated = std::ranges::any_of(found.devices, &devices::Device::simulated);
        hello.health = found.alarms.empty() ? Health::ok : Health::degraded;
        for (const devices::Alarm& alarm : found.alarms)
            hello.health_reason +=
                (hello.health_reason.empty() ? "" : "; ") + alarm.source + ": " + alarm.text;
        hello.attempts = parts_->attempts.held();
        return hello;
    }

    io::Runtime& runtime_;
    AgentOptions options_;
    telemetry::Logger log_;
    SystemClock clock_;
    BootClock boot_;
    SystemRandom random_;
    std::string boot_id_ = random_text(random_, 22);
    // Destroyed after everything that waits for their work.
    io::Pool files_{kFileThreads};
    io::Pool engine_{kEngineThreads};
    io::Pool stops_{kStopThreads};
    http::Client client_;
    Blobs blobs_;
    devices::LoadSampler load_;
    io::Event outbox_changed_;
    io::Event released_;
    io::Event wake_;
    std::unique_ptr<Parts> parts_;
    std::unique_ptr<Session> session_;
    bool started_ = false;
    bool stopping_ = false;
    std::optional<Result<void>> ended_;
    io::TaskGroup own_;
};

Agent::Agent(io::Runtime& runtime, AgentOptions options)
    : core_(std::make_unique<Core>(runtime, std::move(options))) {}
Agent::~Agent() = default;
io::Task<Result<void>> Agent::run() { return core_->run(); }
io::Task<void> Agent::stop() { return core_->stop(); }
bool Agent::connected() const { return core_->connected(); }

}  // namespace penstock::agent
