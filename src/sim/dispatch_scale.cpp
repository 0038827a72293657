// SPDX-License-Identifier: Apache-2.0
#include "sim/dispatch_scale.h"

#include <fmt/format.h>

#include <algorithm>
#include <ranges>

#include "dispatch/decision_log.h"
#include "dispatch/pool_policy.h"
#include "dispatch/replay.h"
#include "sim/allocated_bytes.h"
#include "sim/cpu_time.h"

namespace penstock::sim {
namespace {

constexpr std::uint64_t kIdStream = 0x696473ULL;
constexpr std::uint64_t kArrivalStream = 0x6172726976ULL;
constexpr std::string_view kPrice = "0.00001";
constexpr std::int64_t kMemoryMibUnknown = 1 << 20;  // of a node whose memory the list leaves out
constexpr std::int64_t kDeviceMemoryMib = 81'920;
constexpr double kDeviceTflops = 989;
constexpr std::int64_t kDeviceWatts = 700;
constexpr std::int64_t kPhases = 3;
constexpr std::int64_t kProgressStep = 256;
constexpr double kHalfFullPercent = 50;
constexpr double kNearlyFullPercent = 90;              // beyond, most tasks of a list are refused
constexpr std::int64_t kRefusalsOfAFullCluster = 200;  // in a row
constexpr std::int64_t kDevicesPerMemberMax = 8;
constexpr std::int64_t kRoomForGang = 4;  // times what it asks, on nodes large enough
constexpr std::int64_t kMemberCpuMilli = 1000;
constexpr std::int64_t kPriorities = 10;  // of what runs: 0…9
constexpr int kLeaveBetweenRounds = 10;   // so that no two gangs meet the same cluster

class DispatchBench {
  public:
    DispatchBench(const ClusterTrace& cluster, const ScaleOptions& options, Progress& progress)
        : options_(options),
          progress_(progress),
          models_(cluster.models.names()),
          random_(options.seed ^ kIdStream),
          arrivals_(options.seed ^ kArrivalStream),
          ids_(random_) {
        fleet_.tell(log_);
    }

    Result<void> build(const ClusterTrace& cluster) {
        for (std::int64_t copy = 0; copy < options_.repeat; ++copy)
            for (std::size_t i = 0; i < cluster.nodes.size(); ++i)
                TRY(add_node(cluster, cluster.nodes[i], fmt::format("n{}-{}", copy, i)));
        return {};
    }
    void know(const std::vector<TracedTask>& tasks) {
        for (const TracedTask& task : tasks) specs_.push_back(spec_of(task.request));
    }

    // One task leaves for every second arrival, so that the load stays moderate.
    double decisions_per_second(const std::string& stage, bool recorded) {
        progress_.begin(stage, static_cast<std::size_t>(options_.dispatch_tasks));
        const double begin = thread_cpu_seconds();
        for (std::int64_t i = 0; i < options_.dispatch_tasks; ++i) {
            decide(recorded);
            if (i % 2 == 0 && !running_.empty()) leave();
            if (i % kProgressStep == 0) progress_.done(static_cast<std::size_t>(i));
        }
        const double seconds = std::max(thread_cpu_seconds() - begin, 1e-9);
        return static_cast<double>(options_.dispatch_tasks) / seconds;
    }

    // Gangs on a cluster that is half full, each as the tasks that run leave room for it.
    Result<void> decide_gangs(GroupTimes& times) {
        fill_to(kHalfFullPercent, "gangs");
        times = {.devices = options_.gang_devices, .members = members_of(options_.gang_devices)};
        std::vector<double> each_ms;
        for (std::int64_t round = 0; round < options_.rounds; ++round) {
            const DecisionQuestion question = group_question(times);
            const double begin = thread_cpu_seconds();
            const DecisionAnswer answer = engine_.decide(question);
            each_ms.push_back((thread_cpu_seconds() - begin) * 1e3);
            std::vector<AttemptId> members;
            for (fleet::CapacityHold& hold : engine_.holds_of(answer)) {
                members.push_back(ids_.next<AttemptId>(now_));
                TRY(fleet_.hold(members.back(), hold.node_id, hold.request, std::move(hold.devices))
                );
            }
            for (const AttemptId member : members) fleet_.release(member);
            times.done += members.empty() ? 0 : 1;
            for (int i = 0; i < kLeaveBetweenRounds && !running_.empty(); ++i) leave();
        }
        finish(times, each_ms);
        return {};
    }

    // Who leaves a full cluster for a group of more priority. What was decided is done: the room
    // that it names has to be there once they are gone.
    Result<void> decide_reclaims(GroupTimes& times) {
        fill_to(kNearlyFullPercent, "preemptions");
        fill_devices();
        times = {
            .devices = options_.preempted_devices, .members = members_of(options_.preempted_devices)
        };
        std::vector<double> each_ms;
        for (std::int64_t round = 0; round < options_.rounds; ++round) {
            DecisionQuestion question = group_question(times);
            question.spec.priority = kPriorities;
            question.reclaim = reclaim_question();
            const double begin = thread_cpu_seconds();
            const DecisionAnswer answer = engine_.decide(question);
            each_ms.push_back((thread_cpu_seconds() - begin) * 1e3);
            if (!answer.reclaim) continue;
            ++times.done;
            for (const ReclaimAnswer::Victim& victim : answer.reclaim->victims) {
                std::erase_if(running_, [&](const auto& each) {
                    return each.first == victim.attempt_id;
                });
                fleet_.release(victim.attempt_id);
            }
            for (const PromisedRoom& place : answer.reclaim->places)
                TRY(fleet_.hold(ids_.next<AttemptId>(now_), place.node_id, place.request, {}));
        }
        finish(times, each_ms);
        return {};
    }

    // The decision in the middle of those that are kept: inputs lie before and behind it.
    Result<void> replay_one(DispatchTimes& times) const {
        const auto& kept = log_.decisions();
        const double begin = thread_cpu_seconds();
        const DecisionRecord record = TRY(log_.record(kept[kept.size() / 2].id));
        const double assembled = thread_cpu_seconds();
        const dispatch::Replay again = dispatch::replay(record);
        times.record_ms = (assembled - begin) * 1e3;
        times.replay_ms = (thread_cpu_seconds() - assembled) * 1e3;
        if (!again.identical)
            return fail(
                ErrorCode::internal, "decision " + to_string(record.decision.id) +
                                         " is not the same when it is made "
                                         "again: " +
                                         again.difference
            );
        return {};
    }

    std::size_t nodes() const { return fleet_.nodes().size(); }

    DispatchTimes report() const {
        return {
            .sites = std::ssize(fleet_.sites()),
            .decisions = kPhases * options_.dispatch_tasks,
            .placed = placed_,
            .bytes_per_decision =
                recorded_ == 0 ? 0 : static_cast<double>(bytes_) / static_cast<double>(recorded_)
        };
    }

  private:
    // Tasks arrive until so much is allocated, or none of many in a row fits.
    void fill_to(double percent, const std::string& stage) {
        const auto devices = [](const Capacity& capacity) {
            std::int64_t sum = 0;
            for (const auto& [model, milli] : capacity.accelerator_milli) sum += milli;
            return static_cast<double>(sum);
        };
        progress_.begin(stage, 100);
        const double total = devices(engine_.total());
        for (std::int64_t refused = 0; refused < kRefusalsOfAFullCluster;) {
            const double held = static_cast<double>(devices_held_) * 100 / std::max(total, 1.0);
            if (held >= percent) break;
            const std::size_t before = running_.size();
            decide(false);
            refused = running_.size() == before ? refused + 1 : 0;
            progress_.done(static_cast<std::size_t>(held));
        }
    }

    // Members have as many devices as most nodes could give, at most eight: those of one node.
    std::int64_t members_of(std::int64_t devices) const {
        return std::max<std::int64_t>(1, devices / devices_per_member(devices));
    }
    std::int64_t devices_per_member(std::int64_t devices) const {
        std::map<std::string, std::map<std::int64_t, std::int64_t>> nodes;  // by model and size
        for (const Node* node : fleet_.nodes())
            for (const auto& [model, milli] : node->total.accelerator_milli)
                ++nodes[model][milli / fleet::kWholeDeviceMilli];
        for (std::int64_t size = kDevicesPerMemberMax; size > 1; size /= 2)
            for (const auto& [model, sizes] : nodes) {
                std::int64_t enough = 0;
                for (const auto& [has, count] : sizes) enough += has >= size ? count : 0;
                if (enough * size >= kRoomForGang * devices) return size;
            }
        return 1;
    }

    // A task of `times.members` members with whole devices of any one model.
    DecisionQuestion group_question(const GroupTimes& times) const {
        DecisionQuestion question{.spec = {}, .spec_sha256 = "", .budget_left = {}, .now = now_};
        TaskSpec& spec = question.spec;
        spec.num_nodes = times.members;
        spec.resources.cpus = CpuRange{{kMemberCpuMilli, kMemberCpuMilli}};
        spec.resources.memory = MemoryRange{{1, 1}};
        Accelerators& asked = spec.resources.accelerators.emplace();
        for (const std::string& model : models_)
            if (!model.empty())
                asked.choices.push_back(
                    {model, fleet::kWholeDeviceMilli * times.devices / times.members}
                );
        return question;
    }

    // All that runs may be asked to leave; priorities and work lost differ.
    ReclaimQuestion reclaim_question() {
        ReclaimQuestion asked{.organisation_id = organisation_, .project_id = project_};
        std::vector<LeavableWork> groups(static_cast<std::size_t>(kPriorities));
        for (const AttemptId attempt : std::views::keys(running_)) {
            const std::size_t priority = attempt.raw().low % kPriorities;
            groups[priority].runs.push_back(
                {attempt, std::chrono::seconds(attempt.raw().low / kPriorities % 3600)}
            );
        }
        for (std::size_t priority = 0; priority < groups.size(); ++priority) {
            groups[priority].organisation_id = organisation_;
            groups[priority].project_id = project_;
            groups[priority].priority = static_cast<std::int64_t>(priority);
        }
        asked.leavable = std::move(groups);
        return asked;
    }

    static void finish(GroupTimes& times, std::vector<double>& each_ms) {
        if (each_ms.empty()) return;
        std::ranges::sort(each_ms);
        times.p50_ms = each_ms[each_ms.size() / 2];
        times.max_ms = each_ms.back();
    }

    Result<SiteId> site_of(std::uint32_t number) {
        const auto found = sites_.find(number);
        if (found != sites_.end()) return found->second;
        Site site{.id = ids_.next<SiteId>(now_), .provider = "home"};
        site.spec = {
            .name = fmt::format("site-{}", number),
            .region = "cn-42",
            .division_code = "420100",
            .carbon_g_per_kwh = 500,
            .rtt_ms = 10,
            .watts_per_core = 5
        };
        site.spec.prices.core_second = TRY(parse_price(kPrice));
        site.spec.prices.gib_second = TRY(parse_price(kPrice));
        for (const std::string& model : models_)
            if (!model.empty()) site.spec.prices.card_second[model] = TRY(parse_price(kPrice));
        site.spec.placement[std::string(dispatch::kCpuSku)] = options_.policy;
        for (const std::string& model : models_)
            if (!model.empty()) site.spec.placement[model] = options_.policy;
        return sites_[number] = TRY(fleet_.add_site(std::move(site))).id;
    }

    Result<void> add_node(
        const ClusterTrace& cluster, const placement::NodeSpec& spec, std::string name
    ) {
        AgentHello hello{.node = std::move(name), .enforces = {"cpu", "memory"}};
        hello.total.cpu_milli = spec.cpu_milli;
        hello.total.memory_mib =
            spec.memory_mib == placement::kMemoryUnknown ? kMemoryMibUnknown : spec.memory_mib;
        for (int i = 0; i < spec.devices; ++i) {
            hello.devices.push_back(device(models_[spec.model], i));
            hello.total.accelerator_milli[models_[spec.model]] += fleet::kWholeDeviceMilli;
        }
        const std::int64_t rack =
            cluster.topology_known ? spec.rack : nodes_ / options_.nodes_per_rack;
        ++nodes_;
        hello.labels["rack"] = fmt::format("r{}", rack);
        const SiteId site = TRY(site_of(cluster.topology_known ? spec.site : 0));
        TRY(fleet_.hello(site, hello, ids_.next<NodeId>(now_), now_));
        return {};
    }

    // As an agent describes one: what no decision reads of it takes memory too.
    Device device(const std::string& model, int index) const {
        return {
            .index = index,
            .vendor = "vendor",
            .model = model,
            .uuid = fmt::format("GPU-00000000-0000-4000-8000-{:08x}{:04x}", nodes_, index),
            .memory_mib = kDeviceMemoryMib,
            .peak_tflops = {{"bf16", kDeviceTflops}, {"fp32", kDeviceTflops / 16}},
            .board_watts = kDeviceWatts,
            .health = Health::ok,
            .driver_version = "550.54.15"
        };
    }

    TaskSpec spec_of(const placement::Request& request) const {
        TaskSpec spec;
        spec.resources.cpus = CpuRange{{request.cpu_milli, request.cpu_milli}};
        spec.resources.memory = MemoryRange{{request.memory_mib, request.memory_mib}};
        if (request.cpu_only()) return spec;
        Accelerators& asked = spec.resources.accelerators.emplace();
        for (std::size_t model = 1; model < models_.size(); ++model)
            if (((request.models >> model) & 1U) != 0)
                asked.choices.push_back({models_[model], request.total_milli()});
        return spec;
    }

    DecisionQuestion any_question() {
        return {
            .spec = specs_[arrivals_.below(specs_.size())],
            .spec_sha256 = "",
            .budget_left = {},
            .now = now_
        };
    }

    // Tasks of one device take every device that is still free.
    void fill_devices() {
        const DecisionQuestion question = group_question({.devices = 1, .members = 1});
        std::size_t before = 0;
        do {
            before = running_.size();
            decide(question, false);
        } while (running_.size() > before);
    }

    void decide(bool recorded) { decide(any_question(), recorded); }
    void decide(const DecisionQuestion& question, bool recorded) {
        DecisionAnswer answer = engine_.decide(question);
        if (recorded) {
            const dispatch::DecisionLog::Rows rows =
                log_.add({.id = ids_.next<DecisionId>(now_), .at = now_}, question, answer);
            ++recorded_;
            for (const dispatch::DecisionLog::Row& row : rows.put) bytes_ += row.body.size();
        }
        if (!answer.plan.feasible) return;
        const Candidate& chosen = answer.plan.candidates.front();
        const AttemptId attempt = ids_.next<AttemptId>(now_);
        if (!fleet_.hold(attempt, chosen.node_id, chosen.request, std::move(answer.devices)))
            return;
        ++placed_;
        const std::optional<Accelerator>& asked = chosen.request.accelerator;
        running_.emplace_back(attempt, asked ? asked->count_milli : 0);
        devices_held_ += running_.back().second;
    }

    void leave() {
        std::swap(running_[arrivals_.below(running_.size())], running_.back());
        fleet_.release(running_.back().first);
        devices_held_ -= running_.back().second;
        running_.pop_back();
    }

    const ScaleOptions& options_;
    Progress& progress_;
    std::vector<std::string> models_;
    SeededRandom random_;
    SeededRandom arrivals_;
    IdSource ids_;
    Time now_{};
    dispatch::Engine engine_;
    dispatch::DecisionLog log_{engine_};
    fleet::Fleet fleet_;
    std::map<std::uint32_t, SiteId> sites_;
    std::vector<TaskSpec> specs_;
    std::vector<std::pair<AttemptId, std::int64_t>> running_;  // and its devices, thousandths
    std::int64_t devices_held_ = 0;                            // thousandths
    OrganisationId organisation_ = ids_.next<OrganisationId>(now_);
    ProjectId project_ = ids_.next<ProjectId>(now_);
    std::int64_t nodes_ = 0;
    std::int64_t placed_ = 0;
    std::int64_t recorded_ = 0;
    std::size_t bytes_ = 0;
};

}  // namespace

Result<DispatchTimes> measure_dispatch(
    const ClusterTrace& cluster, const std::vector<TracedTask>& tasks, const ScaleOptions& options,
    Progress& progress
) {
    SiteSpec site;
    site.placement[std::string(dispatch::kCpuSku)] = options.policy;
    // The server has policies without watts only.
    if (!dispatch::validate_policies(site)) return DispatchTimes{};
    DispatchBench bench(cluster, options, progress);
    bench.know(tasks);
    const std::size_t before = allocated_bytes();
    TRY(bench.build(cluster));
    const double first = bench.decisions_per_second("dispatch, first", false);
    const std::size_t taken = allocated_bytes() - before;
    const double decided = bench.decisions_per_second("dispatch", false);
    const double recorded = bench.decisions_per_second("dispatch, recorded", true);
    DispatchTimes times = bench.report();
    times.first_per_second = first;
    times.per_second = decided;
    times.recorded_per_second = recorded;
    times.bytes_per_node = static_cast<double>(taken) / static_cast<double>(bench.nodes());
    TRY(bench.replay_one(times));
    TRY(bench.decide_gangs(times.gang));
    TRY(bench.decide_reclaims(times.preemption));
    return times;
}

}  // namespace penstock::sim
