// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <array>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "identity/registration_code.h"
#include "scheduler/scheduler.h"

namespace penstock::scheduler {

// The order in which a reason is told where several hold: first what waiting can never change (the
// spec and the site do not fit), then the node's state, then what is free now, then the money, and
// last what is only a preference. So the reason that is shown tells what to do.
inline constexpr std::array kFilterOrder = {
    FilterReason::region_not_allowed,
    FilterReason::identity_differs,
    FilterReason::site_not_allowed,
    FilterReason::provider_not_allowed,
    FilterReason::residency_not_allowed,
    FilterReason::trust_too_low,
    FilterReason::rtt_unknown,
    FilterReason::rtt_too_high,
    FilterReason::green_unknown,
    FilterReason::green_too_low,
    FilterReason::cpu_too_large,
    FilterReason::memory_too_large,
    FilterReason::accelerator_absent,
    FilterReason::spot_not_sold,
    FilterReason::price_above_maximum,
    FilterReason::over_budget,
    FilterReason::deadline_too_near,
    FilterReason::limit_not_enforced,
    FilterReason::node_unreachable,
    FilterReason::node_unhealthy,
    FilterReason::node_cordoned,
    FilterReason::insufficient_cpu,
    FilterReason::insufficient_memory,
    FilterReason::insufficient_accelerator,
    FilterReason::kept_for_others,
    FilterReason::left_to_others,
    FilterReason::excluded_after_failure,
};
// Whether waiting can help: those from node_unreachable on.
bool is_temporary(FilterReason reason);

struct Text {
    std::string en;
    std::string zh;
};
// "short of free memory": follows a count of nodes.
Text phrase_of(FilterReason reason);

// One node asked for one choice of accelerator.
struct Question {
    const Supply& supply;
    const ResourceRequest& request;
    std::optional<Price> hourly;  // absent: the site has no price for it
    Terms terms;
};

// A set of reasons, one bit each.
class ReasonSet {
  public:
    void add(FilterReason reason) { bits_ |= bit(reason); }
    void remove(FilterReason reason) { bits_ &= ~bit(reason); }
    bool contains(FilterReason reason) const { return (bits_ & bit(reason)) != 0; }
    bool empty() const { return bits_ == 0; }
    int count() const { return __builtin_popcount(bits_); }
    FilterReason first() const;  // in kFilterOrder; none when empty

  private:
    static constexpr std::uint32_t bit(FilterReason reason) {
        return 1U << static_cast<unsigned>(reason);
    }
    std::uint32_t bits_ = 0;
};

// The filters of one plan; reads the spec once. The input outlives it.
class Filters {
  public:
    explicit Filters(const Input& input);
    ReasonSet failing(const Question& question) const;
    const TaskSpec& spec() const { return input_.spec; }
    Time now() const { return input_.now; }
    // The figures of one failing filter, and what would remedy it there.
    Text detail(FilterReason reason, const Question& question) const;
    Text remedy(FilterReason reason, const Question& question) const;
    // How far the node is from passing, 0…∞: asked over what it has, for filters of quantities.
    static double shortage(FilterReason reason, const Question& question);

  private:
    void check_place(const Question& question, ReasonSet& out) const;
    void check_constraints(const Site& site, ReasonSet& out) const;
    void check_money_and_time(const Question& question, ReasonSet& out) const;
    void check_node(const Question& question, ReasonSet& out) const;
    Time end_of(const Question& question) const;  // now, where the run time is unknown

    const Input& input_;
    const PlacementConstraints* constraints_ = nullptr;
    std::vector<CallerShare> callers_;
    std::optional<Money> hourly_max_;
    std::optional<identity::RegistrationCode> code_;
    std::string code_problem_;  // why placement.identity cannot be read
    friend struct Wording;
};

// The first alternative of place and accelerator (model/alternatives.h) that the site and what is
// asked of it meet; absent: none.
std::optional<std::size_t> alternative_met(
    const ResourcesSpec& resources, const Site& site, const std::optional<Accelerator>& asked
);
// Whether "provider", "provider/region" or "provider/region/zone" names the site; * stands for any.
bool infra_matches(std::string_view infra, const Site& site);

// Thousandths of accelerators of that model; 0 where there is none.
std::int64_t devices_milli(const Capacity& capacity, const Accelerator& accelerator);
// The most devices of a model that are linked to each other, in thousandths; one alone counts.
std::int64_t linked_milli(const Node& node, const std::string& model);

}  // namespace penstock::scheduler
