// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <boost/describe/class.hpp>
#include <optional>
#include <string>
#include <vector>

#include "model/plan.h"
#include "model/task.h"
#include "model/task_spec.h"

// Several tasks in one document: what one leaves the next takes. Train at the centre, serve at the
// edge.
namespace penstock {

constexpr std::size_t kPartsMax = 16;

struct CompositeSpec {
    static constexpr bool kJsonDefaults = true;
    static constexpr json::KeyName kJsonKeys[] = {{"api_version", "apiVersion"}};
    std::optional<std::string> api_version;
    std::string kind = "Composite";
    std::string name;
    // Each a task of its own, named within the document. `inputs[].task` may name another part.
    std::vector<TaskSpec> parts;
    bool operator==(const CompositeSpec&) const = default;
};
BOOST_DESCRIBE_STRUCT(CompositeSpec, (), (api_version, kind, name, parts))

// Whether a document is one: its `kind` is Composite.
bool is_composite(const json::Value& document);
// Reads and validates all parts; the path of a mistake starts with "parts[i].".
std::expected<CompositeSpec, std::vector<Error>> parse_composite_spec(const json::Value& document);

// What goes from one part to another, over the platform's store.
struct PartTransfer {
    std::string from;
    std::string to;
    std::string from_site;
    std::string to_site;
    std::optional<std::int64_t> bytes;   // of the newest run of the same part; absent: never ran
    std::optional<Price> egress_per_gb;  // of the site that sends; absent: it states none
    std::optional<Money> egress;
    std::optional<double> seconds;  // at the bandwidths that both sites state
    bool operator==(const PartTransfer&) const = default;
};
BOOST_DESCRIBE_STRUCT(
    PartTransfer, (), (from, to, from_site, to_site, bytes, egress_per_gb, egress, seconds)
)

struct PartPlan {
    std::string part;
    std::vector<std::string> after;  // parts that must succeed first
    Plan plan;
    bool operator==(const PartPlan&) const = default;
};
BOOST_DESCRIBE_STRUCT(PartPlan, (), (part, after, plan))

// All parts decided together.
struct CompositePlan {
    std::vector<PartPlan> parts;
    std::vector<PartTransfer> transfers;
    bool feasible = false;  // every part has a place now, those of one time side by side
    bool ever = true;       // false: some part never has one, so nothing is started
    std::optional<Money> estimated_cost;
    std::string explanation;
    std::string explanation_zh;
    bool operator==(const CompositePlan&) const = default;
};
BOOST_DESCRIBE_STRUCT(
    CompositePlan, (),
    (parts, transfers, feasible, ever, estimated_cost, explanation, explanation_zh)
)

// The tasks of a document, in the order of its parts.
struct Composite {
    std::string name;
    std::vector<Task> tasks;
    std::optional<CompositePlan> plan;  // when it was submitted
    bool operator==(const Composite&) const = default;
};
BOOST_DESCRIBE_STRUCT(Composite, (), (name, tasks, plan))

}  // namespace penstock
