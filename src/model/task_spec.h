// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <boost/describe/class.hpp>
#include <boost/describe/enum.hpp>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "base/money.h"
#include "base/time.h"
#include "json/json.h"
#include "json/key_name.h"
#include "model/class_prices.h"
#include "model/data_policy.h"
#include "model/quantity.h"

// What a user states: one document, YAML or JSON. SkyPilot's keys keep their meaning; ours stand in
// blocks of their own. Every field is optional but `run` (or a template). parse_task_spec() reads
// it.
namespace penstock {

enum class TaskKind { Task, Service, Render, Desktop, Agent };
BOOST_DESCRIBE_ENUM(TaskKind, Task, Service, Render, Desktop, Agent)

enum class RecoveryStrategy { failover, eager_next_region };
BOOST_DESCRIBE_ENUM(RecoveryStrategy, failover, eager_next_region)
constexpr bool json_upper_case(RecoveryStrategy) { return true; }

struct JobRecovery {
    static constexpr bool kJsonDefaults = true;
    RecoveryStrategy strategy = RecoveryStrategy::eager_next_region;
    std::int64_t max_restarts_on_errors = 0;  // the task's own failures; lost nodes do not count
    bool operator==(const JobRecovery&) const = default;
};
BOOST_DESCRIBE_STRUCT(JobRecovery, (), (strategy, max_restarts_on_errors))

struct InfraChoice {
    static constexpr bool kJsonDefaults = true;
    std::optional<std::string> infra;  // "provider/region" with * for any: "*/cn-hubei"
    std::optional<Accelerators> accelerators;
    bool operator==(const InfraChoice&) const = default;
};
BOOST_DESCRIBE_STRUCT(InfraChoice, (), (infra, accelerators))

// Per node.
struct ResourcesSpec {
    static constexpr bool kJsonDefaults = true;
    std::optional<std::string> infra;
    std::optional<Accelerators> accelerators;
    std::optional<CpuRange> cpus;
    std::optional<MemoryRange> memory;
    std::optional<MemoryRange> disk_size;
    std::optional<std::string> network_tier;
    std::optional<std::string> image_id;
    std::optional<bool> use_spot;
    std::optional<EnvText> max_hourly_cost;  // yuan; a number or a decimal string
    std::vector<std::int64_t> ports;
    std::vector<InfraChoice> any_of;   // the strategy takes the best
    std::vector<InfraChoice> ordered;  // the first that is feasible
    std::optional<JobRecovery> job_recovery;
    std::optional<Duration> autostop;
    bool operator==(const ResourcesSpec&) const = default;
};
BOOST_DESCRIBE_STRUCT(
    ResourcesSpec, (),
    (infra, accelerators, cpus, memory, disk_size, network_tier, image_id, use_spot,
     max_hourly_cost, ports, any_of, ordered, job_recovery, autostop)
)

struct FileMount {
    static constexpr bool kJsonDefaults = true;
    std::string source;
    std::string mode = "COPY";
    std::optional<std::string> sha256;
    bool operator==(const FileMount&) const = default;
};
BOOST_DESCRIBE_STRUCT(FileMount, (), (source, mode, sha256))

struct OutputSpec {
    static constexpr bool kJsonDefaults = true;
    std::string path;  // a pattern below the work directory, or below /out
    std::optional<std::string> url;
    bool required = false;
    bool operator==(const OutputSpec&) const = default;
};
BOOST_DESCRIBE_STRUCT(OutputSpec, (), (path, url, required))

// Outputs of another task, staged by their content hash before `setup`. The task waits until the
// other has succeeded.
struct InputSpec {
    static constexpr bool kJsonDefaults = true;
    std::string task;        // a name in the same project (the newest one) or an id
    std::string path = "*";  // which of its outputs: a path, or a pattern with *
    std::string to = "in";   // folder below the work directory
    bool operator==(const InputSpec&) const = default;
};
BOOST_DESCRIBE_STRUCT(InputSpec, (), (task, path, to))

enum class ResumePolicy { auto_, never };
BOOST_DESCRIBE_ENUM(ResumePolicy, auto_, never)

struct CheckpointSpec {
    static constexpr bool kJsonDefaults = true;
    std::string path = "ckpt";  // below the work directory; also given as PENSTOCK_CHECKPOINT_DIR
    Duration every = 10min;
    ResumePolicy resume = ResumePolicy::auto_;
    bool operator==(const CheckpointSpec&) const = default;
};
BOOST_DESCRIBE_STRUCT(CheckpointSpec, (), (path, every, resume))

struct ArrayRetry {
    static constexpr bool kJsonDefaults = true;
    std::int64_t per_item = 0;
    bool keep_done = true;
    bool operator==(const ArrayRetry&) const = default;
};
BOOST_DESCRIBE_STRUCT(ArrayRetry, (), (per_item, keep_done))

struct ArraySpec {
    static constexpr bool kJsonDefaults = true;
    std::map<std::string, std::string>
        params;  // name → "1-240:1" or "a,b,c"; several make a product
    std::int64_t chunk = 1;
    std::int64_t max_parallel = 0;  // 0: as many as fit
    ArrayRetry retry;
    bool operator==(const ArraySpec&) const = default;
};
BOOST_DESCRIBE_STRUCT(ArraySpec, (), (params, chunk, max_parallel, retry))

struct ReadinessProbe {
    static constexpr bool kJsonDefaults = true;
    std::string path = "/";
    std::int64_t initial_delay_seconds = 60;  // how long it may take to become ready
    std::int64_t timeout_seconds = 5;
    bool operator==(const ReadinessProbe&) const = default;
};
BOOST_DESCRIBE_STRUCT(ReadinessProbe, (), (path, initial_delay_seconds, timeout_seconds))

struct ReplicaPolicy {
    static constexpr bool kJsonDefaults = true;
    std::int64_t min_replicas = 1;             // 0: nothing runs while nobody calls
    std::optional<std::int64_t> max_replicas;  // absent: min_replicas, and 1 where that is 0
    // What one replica takes without queueing; of several the one that needs most replicas counts,
    // and without any kInFlightPerReplica.
    std::optional<double> target_qps_per_replica;        // calls begun per second
    std::optional<double> target_tokens_per_replica;     // of prompts and answers, per second
    std::optional<double> target_in_flight_per_replica;  // calls at one time, held ones included
    std::int64_t spares = 0;          // ready above what the load needs, while anything runs
    Duration cold_start = 60s;        // from the decision to the first answer
    Duration averaged_over = 30s;     // rates; their trend over four times as long
    Duration shrink_after = 5min;     // how long fewer must have sufficed
    Duration to_zero_after = 10min;   // without any call, where min_replicas is 0
    Duration drain = 30s;             // at most, for calls in flight at a replica that leaves
    Duration hold_first_call = 2min;  // at most, at the gateway, while no replica is ready
    bool operator==(const ReplicaPolicy&) const = default;
};
BOOST_DESCRIBE_STRUCT(
    ReplicaPolicy, (),
    (min_replicas, max_replicas, target_qps_per_replica, target_tokens_per_replica,
     target_in_flight_per_replica, spares, cold_start, averaged_over, shrink_after, to_zero_after,
     drain, hold_first_call)
)

// Missed by more than one call in twenty, it makes an elastic service grow.
struct ServiceSlo {
    static constexpr bool kJsonDefaults = true;
    std::optional<std::int64_t> ttft_ms;  // to the first token of a stream, the wait included
    std::optional<double> tok_s;          // of one stream, after its first token
    bool operator==(const ServiceSlo&) const = default;
};
BOOST_DESCRIBE_STRUCT(ServiceSlo, (), (ttft_ms, tok_s))

struct ServiceSpec {
    static constexpr bool kJsonDefaults = true;
    ReadinessProbe readiness_probe;
    std::optional<ReplicaPolicy> replica_policy;
    std::optional<std::int64_t> replicas;
    std::string protocol = "http";     // http | openai
    std::optional<std::string> model;  // the name under which the gateway offers it
    std::optional<Money> price_input;  // yuan per million tokens; absent: the site's price
    std::optional<Money> price_output;
    std::optional<ClassPrices> class_prices;
    std::optional<std::int64_t> batch_percent;    // of an endpoint of its replicas
    std::optional<std::int64_t> cached_percent;   // likewise
    std::optional<std::string> tokenizer_sha256;  // a stored tokenizer.json or GGUF's head
    std::optional<std::string> quantization;      // of an endpoint of its replicas
    std::optional<DataPolicy> data_policy;        // likewise
    std::optional<ServiceSlo> slo;
    bool operator==(const ServiceSpec&) const = default;
};
BOOST_DESCRIBE_STRUCT(
    ServiceSpec, (),
    (readiness_probe, replica_policy, replicas, protocol, model, price_input, price_output,
     class_prices, batch_percent, cached_percent, tokenizer_sha256, quantization, data_policy, slo)
)

// Weights of the five strategies. Read from a name ("green", "balanced") or a map of weights;
// normalised to a sum of 1.
struct Strategy {
    double cost = 0;
    double duration = 0;
    double security = 0;
    double latency = 0;
    double green = 0;
    bool operator==(const Strategy&) const = default;
};
Strategy balanced_strategy();
Result<Strategy> strategy_named(std::string_view name);

struct ProviderRules {
    static constexpr bool kJsonDefaults = true;
    std::vector<std::string> allow;
    std::vector<std::string> deny;
    bool operator==(const ProviderRules&) const = default;
};
BOOST_DESCRIBE_STRUCT(ProviderRules, (), (allow, deny))

enum class TrustLevel { none, basic, certified, sovereign };
BOOST_DESCRIBE_ENUM(TrustLevel, none, basic, certified, sovereign)

struct PlacementConstraints {
    static constexpr bool kJsonDefaults = true;
    std::optional<double> max_rtt_ms;
    std::optional<double> green_min_percent;
    std::vector<std::string> data_residency;  // prefixes of a site's region: "CN-42"
    std::optional<TrustLevel> trust_min;
    std::optional<ProviderRules> providers;
    std::vector<std::string> sites;  // names; empty: any
    bool operator==(const PlacementConstraints&) const = default;
};
BOOST_DESCRIBE_STRUCT(
    PlacementConstraints, (),
    (max_rtt_ms, green_min_percent, data_residency, trust_min, providers, sites)
)

struct BandwidthSpec {
    static constexpr bool kJsonDefaults = true;
    std::string to;
    std::int64_t min_mbps = 0;
    std::optional<std::string> window;
    bool operator==(const BandwidthSpec&) const = default;
};
BOOST_DESCRIBE_STRUCT(BandwidthSpec, (), (to, min_mbps, window))

struct TopologySpec {
    static constexpr bool kJsonDefaults = true;
    std::string pack = "any";           // domain | rack | site | metro | any: the widest cell
    std::optional<std::string> spread;  // rack | site: no two members in the same one
    std::optional<std::int64_t> max_sites;
    bool operator==(const TopologySpec&) const = default;
};
BOOST_DESCRIBE_STRUCT(TopologySpec, (), (pack, spread, max_sites))

struct PlacementSpec {
    static constexpr bool kJsonDefaults = true;
    Strategy optimize = balanced_strategy();
    std::optional<PlacementConstraints> constraints;
    std::optional<BandwidthSpec> bandwidth;
    std::optional<TopologySpec> topology;
    std::optional<std::string> identity;  // pins one resource by its C-URL or registration code
    std::optional<std::string> near;      // the place of its users: a key of sites' rtt_to
    bool operator==(const PlacementSpec&) const = default;
};
BOOST_DESCRIBE_STRUCT(
    PlacementSpec, (), (optimize, constraints, bandwidth, topology, identity, near)
)

enum class OnExceed { stop_after_checkpoint, cancel, alert_only };
BOOST_DESCRIBE_ENUM(OnExceed, stop_after_checkpoint, cancel, alert_only)

struct BudgetSpec {
    static constexpr bool kJsonDefaults = true;
    std::optional<Money> max_total;
    std::string currency = "CNY";
    OnExceed on_exceed = OnExceed::stop_after_checkpoint;
    std::vector<double> alert_at;
    bool operator==(const BudgetSpec&) const = default;
};
BOOST_DESCRIBE_STRUCT(BudgetSpec, (), (max_total, currency, on_exceed, alert_at))

enum class PricingMode { on_demand, reserved, bid, per_result };
BOOST_DESCRIBE_ENUM(PricingMode, on_demand, reserved, bid, per_result)

struct PricingSpec {
    static constexpr bool kJsonDefaults = true;
    PricingMode mode = PricingMode::on_demand;
    std::optional<Money> bid;
    bool operator==(const PricingSpec&) const = default;
};
BOOST_DESCRIBE_STRUCT(PricingSpec, (), (mode, bid))

enum class DependencyCondition { success, failure, any };
BOOST_DESCRIBE_ENUM(DependencyCondition, success, failure, any)

struct Dependency {
    static constexpr bool kJsonDefaults = true;
    std::string task;  // a name in the same project (the newest one) or an id
    DependencyCondition on = DependencyCondition::success;
    bool operator==(const Dependency&) const = default;
};
BOOST_DESCRIBE_STRUCT(Dependency, (), (task, on))

// Takes turns with others on the accelerators it asks for, round by round: see time_shared.h.
struct TimeSharedSpec {
    static constexpr bool kJsonDefaults = true;
    // Accelerator model → steps a second with all the devices asked for; for every model or none.
    std::map<std::string, double> rates;
    std::optional<double> rate_min;  // steps a second it is to make on average, at least
    bool operator==(const TimeSharedSpec&) const = default;
};
BOOST_DESCRIBE_STRUCT(TimeSharedSpec, (), (rates, rate_min))

struct ScheduleSpec {
    static constexpr bool kJsonDefaults = true;
    std::optional<Time> start_after;
    std::vector<Dependency> dependencies;
    std::optional<TimeSharedSpec> time_shared;
    bool operator==(const ScheduleSpec&) const = default;
};
BOOST_DESCRIBE_STRUCT(ScheduleSpec, (), (start_after, dependencies, time_shared))

struct AcceptanceCheck {
    static constexpr bool kJsonDefaults = true;
    std::string file;               // below the work directory, or below /out
    std::optional<std::string> jq;  // an expression that must give true
    bool operator==(const AcceptanceCheck&) const = default;
};
BOOST_DESCRIBE_STRUCT(AcceptanceCheck, (), (file, jq))

struct AcceptanceSpec {
    static constexpr bool kJsonDefaults = true;
    std::int64_t expect_exit = 0;
    std::vector<AcceptanceCheck> checks;
    std::optional<Duration> dispute_window;
    bool operator==(const AcceptanceSpec&) const = default;
};
BOOST_DESCRIBE_STRUCT(AcceptanceSpec, (), (expect_exit, checks, dispute_window))

struct TaskSpec {
    static constexpr bool kJsonDefaults = true;
    static constexpr json::KeyName kJsonKeys[] = {{"api_version", "apiVersion"}};
    std::optional<std::string> api_version;
    TaskKind kind = TaskKind::Task;
    std::string name;
    std::map<std::string, std::string> labels;
    std::optional<std::string> template_;
    std::optional<std::string> workdir;         // a folder at the client; uploaded by content hash
    std::optional<std::string> workdir_sha256;  // what the upload gave: hash of the archive
    std::int64_t num_nodes = 1;
    ResourcesSpec resources;
    std::map<std::string, EnvText> envs;
    std::map<std::string, json::Text> secrets;
    std::map<std::string, json::Text> file_mounts;
    std::vector<OutputSpec> outputs;
    std::optional<std::string> setup;
    std::optional<std::string> run;
    std::optional<CheckpointSpec> checkpoint;
    std::optional<ArraySpec> array;
    std::optional<ServiceSpec> service;
    std::optional<PlacementSpec> placement;
    std::optional<BudgetSpec> budget;
    std::optional<PricingSpec> pricing;
    std::optional<Time> deadline;
    std::optional<Duration> time_limit;  // of one attempt, counted from RUNNING
    std::int64_t priority = 0;
    // May be told to stop after a checkpoint so that others can run; it comes back to the queue.
    // Spot work and time-shared work always are. Absent: not.
    std::optional<bool> preemptible;
    std::optional<ScheduleSpec> schedule;
    std::optional<AcceptanceSpec> acceptance;
    std::vector<json::Text> notify;
    std::optional<json::Text> compliance;
    std::optional<json::Text> config;  // free form, kept as it came
    std::optional<std::vector<InputSpec>> inputs;
    bool operator==(const TaskSpec&) const = default;
};
BOOST_DESCRIBE_STRUCT(
    TaskSpec, (),
    (api_version, kind, name, labels, template_, workdir, workdir_sha256, num_nodes, resources,
     envs, secrets, file_mounts, outputs, setup, run, checkpoint, array, service, placement, budget,
     pricing, deadline, time_limit, priority, preemptible, schedule, acceptance, notify, compliance,
     config, inputs)
)

bool is_spot(const TaskSpec& spec);
bool is_preemptible(const TaskSpec& spec);

constexpr std::int64_t kPriorityMax = 1000;  // and as far below 0
constexpr std::int64_t kArrayItemsMax = 10'000;
constexpr std::int64_t kReplicasMax = 64;
constexpr std::int64_t kGangMembersMax = 256;
constexpr std::size_t kInputsMax = 64;
constexpr std::size_t kScriptBytesMax = 256UL * 1024;
constexpr std::size_t kNameLengthMax = 63;

// Reads and validates a spec; every mistake is reported, each with its path, cause and remedy. What
// is understood but cannot be executed yet is a mistake too, and says so: nothing is ignored.
std::expected<TaskSpec, std::vector<Error>> parse_task_spec(const json::Value& document);

// The values an array runs over, in order: one map of parameter → value per item, or per chunk the
// maps of all its items. A task without an array has one item without parameters.
using ArrayPoint = std::map<std::string, std::string>;
Result<std::vector<ArrayPoint>> expand_array(const ArraySpec& array);

}  // namespace penstock
