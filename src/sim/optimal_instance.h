// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <map>
#include <vector>

#include "base/random.h"
#include "scheduler/assign.h"
#include "scheduler/scheduler.h"

namespace penstock::sim {

// Tasks that wait at once on a few empty nodes, drawn from a seed (optimal.h says how).
class OptimalInstance {
  public:
    OptimalInstance(std::uint64_t seed, std::int64_t nodes_max, std::int64_t tasks_max);

    std::size_t tasks() const { return tasks_.size(); }
    // What a task leaves to others: nodes, and all accelerators but one.
    struct Left {
        std::vector<NodeId> nodes;
        std::optional<Accelerator> alone;
    };
    // Task `i` on what is free of each node.
    Plan plan(std::size_t i, const std::vector<Capacity>& free, const Left& left) const;
    const std::vector<Plan>& alone() const { return alone_; }  // of each task, on empty nodes
    // The same as options, with losses in 10⁻⁹; the candidates of an infeasible plan are none.
    const std::vector<std::vector<scheduler::Option>>& options() const { return options_; }
    std::vector<Capacity> totals() const;
    std::map<NodeId, Capacity> totals_by_id() const;
    std::size_t node_of(NodeId id) const;

  private:
    struct Task {
        TaskSpec spec;
        scheduler::Profile profile;
    };
    void add_node(std::size_t number, Random& random);
    static Task draw_task(Random& random);

    SeededRandom id_words_;
    IdSource ids_;
    std::vector<Site> sites_;
    std::vector<Node> nodes_;
    std::vector<Task> tasks_;
    std::vector<Plan> alone_;
    std::vector<std::vector<scheduler::Option>> options_;
};

}  // namespace penstock::sim
