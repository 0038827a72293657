// SPDX-License-Identifier: Apache-2.0
#include <gtest/gtest.h>
#include <rapidcheck.h>

#include <algorithm>
#include <array>
#include <sstream>

#include "base/random.h"
#include "placement/gang.h"
#include "placement/placement_fixture.h"
#include "placement/policies.h"
#include "placement/preemption.h"

// Gangs and preemptions in many small clusters: what is held is counted anew from the placements
// and compared with what the nodes have. RapidCheck draws the seed of a case and shrinks its size.
namespace penstock::placement {
namespace {

#ifdef __OPTIMIZE__
constexpr int kCases = 100'000;
#else
constexpr int kCases = 2'000;
#endif

template <class T, std::size_t N>
T one_of(Random& random, const std::array<T, N>& values) {
    return values.at(random.below(N));
}

Node random_node(Random& random) {
    const int devices = one_of(random, std::array{0, 1, 2, 8, 8, 16});
    return make_node(
        {.cpu_milli = one_of(random, std::array{4000, 16000, 64000}),
         .memory_mib = one_of(random, std::array{1024, 65536, kMemoryUnknown}),
         .devices = devices,
         .model = static_cast<std::uint8_t>(devices == 0 ? 0 : 1 + random.below(kTestModels - 1)),
         .devices_per_domain = one_of(random, std::array{0, 4, 8}),
         .rack = static_cast<std::uint32_t>(random.below(3)),
         .site = 0}
    );
}

Request random_request(Random& random) {
    Request request{
        .cpu_milli = one_of(random, std::array{100, 1000, 6000}),
        .memory_mib = one_of(random, std::array{0, 512, 4096}),
        .devices = one_of(random, std::array<std::uint16_t, 6>{0, 1, 1, 1, 2, 4})
    };
    if (request.cpu_only()) return request;
    request.device_milli = kWholeDevice;
    if (request.devices == 1)
        request.device_milli = one_of(random, std::array<std::uint16_t, 4>{190, 500, 810, 1000});
    request.models = one_of(random, std::array<ModelMask, 3>{kAnyModel, 0b010, 0b110});
    request.one_domain = request.devices > 1 && random.below(2) == 0;
    return request;
}

// What the placements hold of each node, counted one by one.
class Recount {
  public:
    explicit Recount(const std::vector<Node>& empty) : nodes_(empty) {}

    // False where a placement takes more than its node has left, or not what it asked for.
    bool add(const Placement& placement, const Request& request) {
        Node& node = nodes_.at(placement.node);
        if (std::popcount(placement.devices) != request.devices) return false;
        node.cpu_free -= request.cpu_milli;
        if (node.memory_total != kMemoryUnknown) node.memory_free -= request.memory_mib;
        for (int device = 0; device < kDevicesPerNodeMax; ++device) {
            if ((placement.devices >> device & 1U) == 0) continue;
            auto& free = node.free.at(static_cast<std::size_t>(device));
            if (free < request.device_milli) return false;
            free = static_cast<std::uint16_t>(free - request.device_milli);
        }
        return node.cpu_free >= 0 && node.memory_free >= 0;
    }
    bool equals(const std::vector<Node>& nodes) const {
        for (std::size_t i = 0; i < nodes.size(); ++i)
            if (nodes[i].free != nodes_[i].free || nodes[i].cpu_free != nodes_[i].cpu_free)
                return false;
        return true;
    }

  private:
    std::vector<Node> nodes_;
};

// One small cluster with residents, and a gang that is to be placed, by force if need be.
class Case {
  public:
    Case(std::uint64_t seed, int size)
        : random_(seed), empty_(nodes(size)), placer_(make_placer()) {
        for (int i = 0; i < 4 * size; ++i) add_resident();
        const Request request = random_request(random_);
        const ShapeId shape = placer_.intern(request).value();
        gang_request_ = request;
        gang_ = {.shape = shape, .count = static_cast<std::int32_t>(1 + random_.below(6))};
    }

    bool preempted() const { return preempted_; }
    // Empty where capacity holds, else what went wrong.
    std::string gang_then_preemption() {
        const Topology topology(placer_.nodes());
        if (const auto placed = place_gang(placer_, topology, gang_)) {
            const std::string wrong = held_by({}, placed->tasks);
            for (const Placement& task : placed->tasks) placer_.release(task);
            return wrong;
        }
        if (!held_by({}, {}).empty()) return "a gang that was not placed left a trace";
        constexpr std::int32_t kPriority = 2;
        const auto forced = preempt(placer_, topology, residents_, gang_, kPriority, meter());
        if (!forced) return held_by({}, {}).empty() ? "" : "a preemption that failed left a trace";
        preempted_ = true;
        for (const ResidentId victim : forced->victims)
            if (residents_.at(victim).priority >= kPriority) return "an equal had to give way";
        return held_by(forced->victims, forced->tasks);
    }

  private:
    std::vector<Node> nodes(int size) {
        std::vector<Node> all;
        for (int i = 0; i < size; ++i) all.push_back(random_node(random_));
        return all;
    }
    static const PolicyInputs& inputs() {
        static const PolicyInputs kInputs = [] {
            SeededRandom random(1);
            std::vector<Request> requests;
            for (int i = 0; i < 30; ++i) requests.push_back(random_request(random));
            return PolicyInputs{.workload = target_workload(requests), .models = kTestModels};
        }();
        return kInputs;
    }
    static const FragmentationMeter& meter() {
        static const FragmentationMeter kMeter(inputs().workload, kTestModels);
        return kMeter;
    }
    Placer make_placer() {
        const std::array<const char*, 3> kPolicies = {"fgd", "best-fit", "spread"};
        return {empty_, make_policy(one_of(random_, kPolicies), inputs()).value()};
    }
    void add_resident() {
        const Request request = random_request(random_);
        const auto placed = placer_.place(placer_.intern(request).value());
        if (!placed) return;
        residents_.add(
            {*placed, static_cast<std::int32_t>(random_.below(4)),
             static_cast<std::int64_t>(random_.below(100))}
        );
        held_.emplace_back(*placed, request);
    }
    // Residents without `victims` and the gang's tasks, against the nodes.
    std::string held_by(const std::vector<ResidentId>& victims, const std::vector<Placement>& tasks)
        const {
        Recount recount(empty_);
        for (std::size_t i = 0; i < held_.size(); ++i)
            if (std::ranges::find(victims, static_cast<ResidentId>(i)) == victims.end() &&
                !recount.add(held_[i].first, held_[i].second))
                return "a resident holds what is not there";
        if (!tasks.empty() && std::ssize(tasks) != gang_.count) return "a gang in part";
        for (const Placement& task : tasks)
            if (!recount.add(task, gang_request_)) return "a gang takes what is not there";
        return recount.equals(placer_.nodes()) ? "" : "the nodes differ from what is held";
    }

    SeededRandom random_;
    std::vector<Node> empty_;
    Placer placer_;
    Residents residents_{16};
    std::vector<std::pair<Placement, Request>> held_;  // by resident id
    Request gang_request_;
    Gang gang_;
    bool preempted_ = false;
};

TEST(CapacityProperty, GangsAndPreemptionsNeverTakeWhatIsNotThere) {
    rc::detail::TestParams params = rc::detail::configuration().testParams;
    params.maxSuccess = kCases;
    int preemptions = 0;
    const auto property = [&] {
        // Small cases are to be as mixed as large ones.
        const auto seed = *rc::gen::resize(rc::kNominalSize, rc::gen::arbitrary<std::uint64_t>());
        const int size = *rc::gen::resize(rc::kNominalSize, rc::gen::inRange(1, 7));
        Case each(seed, size);
        const std::string wrong = each.gang_then_preemption();
        preemptions += each.preempted() ? 1 : 0;
        if (!wrong.empty()) RC_FAIL(wrong);
    };

    const auto result = rc::detail::checkTestable(property, rc::detail::TestMetadata(), params);

    std::ostringstream message;
    rc::detail::printResultMessage(result, message);
    EXPECT_TRUE(result.is<rc::detail::SuccessResult>()) << message.str();
    EXPECT_GT(preemptions, kCases / 100) << "too few cases come to a preemption";
    RecordProperty("preemptions", preemptions);
}

}  // namespace
}  // namespace penstock::placement
