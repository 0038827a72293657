// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <functional>
#include <optional>
#include <string>
#include <vector>

#include "scheduler/filter.h"

// Changes of a spec that could let its task start. What each would do is planned by the caller.
namespace penstock::scheduler {

constexpr std::size_t kModelsTriedMax = 8;  // other models of accelerators, the roomiest first

// Where a plan found a place with a change.
struct FoundPlace {
    const Candidate& candidate;
    const Site& site;
    Time now;
};

struct SpecChange {
    std::string field;  // "resources.cpus"
    std::string from;
    std::string to;  // "none": it is dropped
    // How much is given up of what was asked, 0…1: of an amount its part, of a list of n names one
    // more is 1/(n+1), of a level its part of all; another model is kModelSize, what is dropped 1.
    double size = 1;
    Text words;  // With which others may be told to leave for it.
    SpecChange priority_change(std::int64_t from, std::int64_t to);
    SpecChange not_as_spot();

    // Of a limit of a quota, to so many whole units.
    SpecChange quota_change(const QuotaBlock& block, std::int64_t to);

    // "with cpus: 4 instead of 8": begins "… it would start now"
    std::function<void(TaskSpec&)> apply;
    // The least change of that kind which still lets it in there; null or absent: this one.
    std::function<std::optional<SpecChange>(const FoundPlace&)> least;
    // What keeps tasks out that it may lift, beside others.
    std::vector<FilterReason> lifts;
    bool other_answer = false;  // to be told beside others of its field: another model
};
constexpr double kModelSize = 0.5;

// What is known of the platform beside the spec.
struct ChangeGround {
    // The largest free amount of each resource on a node that could take the task and has room for
    // the rest of it; 0: nowhere.
    std::int64_t cpu_milli = 0;
    std::int64_t memory_mib = 0;
    std::map<std::string, std::int64_t> devices_milli;  // by model
    std::vector<std::string> models;                    // of the platform, the roomiest first
    std::int64_t members = 0;                           // of a gang: nodes that could take one now
    bool promised = false;  // room is promised to others: how long it runs matters
};

// All changes worth a plan, those of one field after each other, the least first: the first of a
// field that helps is the one to tell. Only of what the spec states, and of how much and which
// devices it asks for.
std::vector<SpecChange> changes_of(const TaskSpec& spec, const ChangeGround& ground);

// With which others may be told to leave for it.
SpecChange priority_change(std::int64_t from, std::int64_t to);
SpecChange not_as_spot();

// Of a limit of a quota, to so many whole units.
SpecChange quota_change(const QuotaBlock& block, std::int64_t to);

// "with cpus: 4 instead of 8", "without deadline".
SpecChange changed(std::string field, std::string from, std::string to, double size);

// "A and B it would start now on centre/a". `notice`: once others have left that place.
Text starting_text(const std::vector<Text>& changes, const std::string& place, bool notice);

}  // namespace penstock::scheduler
