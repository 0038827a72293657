// SPDX-License-Identifier: Apache-2.0
#include "sim/dispatch_scale.h"

#include <fmt/format.h>

#include <algorithm>

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
constexpr std::int64_t kPhases = 3;
constexpr std::int64_t kProgressStep = 256;
constexpr std::int64_t kGangNodes = 64;

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

    // Gangs of one task's requests on many nodes, each as the tasks that run leave room for it.
    Result<void> decide_gangs(DispatchTimes& times) {
        std::vector<double> each_ms;
        for (std::int64_t round = 0; round < options_.rounds; ++round) {
            DecisionQuestion question = any_question();
            question.spec.num_nodes = kGangNodes;
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
            times.gangs += members.empty() ? 0 : 1;
        }
        times.gang_nodes = kGangNodes;
        if (each_ms.empty()) return {};
        std::ranges::sort(each_ms);
        times.gang_p50_ms = each_ms[each_ms.size() / 2];
        times.gang_max_ms = each_ms.back();
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
            hello.devices.push_back({.index = i, .model = models_[spec.model], .health = Health::ok}
            );
            hello.total.accelerator_milli[models_[spec.model]] += fleet::kWholeDeviceMilli;
        }
        const std::int64_t rack =
            cluster.topology_known ? spec.rack : nodes_++ / options_.nodes_per_rack;
        hello.labels["rack"] = fmt::format("r{}", rack);
        const SiteId site = TRY(site_of(cluster.topology_known ? spec.site : 0));
        TRY(fleet_.hello(site, hello, ids_.next<NodeId>(now_), now_));
        return {};
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

    void decide(bool recorded) {
        const DecisionQuestion question = any_question();
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
        running_.push_back(attempt);
    }

    void leave() {
        std::swap(running_[arrivals_.below(running_.size())], running_.back());
        fleet_.release(running_.back());
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
    std::vector<AttemptId> running_;
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
    const std::size_t before = allocated_bytes();
    DispatchBench bench(cluster, options, progress);
    TRY(bench.build(cluster));
    bench.know(tasks);
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
    TRY(bench.decide_gangs(times));
    return times;
}

}  // namespace penstock::sim
