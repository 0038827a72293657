// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <map>
#include <optional>
#include <string>
#include <vector>

#include "base/time.h"
#include "model/plan.h"
#include "model/site.h"
#include "model/task_spec.h"
#include "scheduler/calendar.h"
#include "scheduler/outlook.h"
#include "scheduler/reservations.h"
#include "scheduler/restarts.h"

namespace penstock::scheduler {

// One node that could take an item, as the owner of the fleet sees it now. Borrowed for the call.
struct Supply {
    const Site* site = nullptr;
    const Node* node = nullptr;
    Capacity free;  // now; not read where there is a calendar
    // What is known beyond this moment, each where its owner knows it.
    const Outlook* outlook = nullptr;
    const Calendar* calendar = nullptr;
    const Route* staging =
        nullptr;  // of the staged bytes; absent: the source's egress, the site's link
    // Where its owner chose the node for one accelerator among many like it: that accelerator, its
    // place among nodes of the site whose terms are equal, and how many more nodes are as it is.
    const Accelerator* asked = nullptr;
    std::int64_t order = 0;
    std::int64_t alike = 0;
    // For gangs: all nodes that it stands for, itself among them, in the order of their names;
    // members may lie on any. Null: it stands for itself. Borrowed.
    const std::vector<const Node*>* peers = nullptr;
    // How often work had to start again at its site; null: nothing is known.
    const SiteRestarts* restarts = nullptr;
};

// What is known of the task beside its spec.
struct Profile {
    std::optional<Duration> run_time;  // expected, of one item on one node; absent: unknown
    std::string run_time_basis;        // "time_limit", "history of 12 runs, p50 40s, p90 1m5s"
    std::int64_t staging_bytes = 0;    // to be moved to the node before it can start
    // Where the staged bytes lie; its egress is paid. None: the platform's own store, which is
    // free.
    const SiteSpec* staging_source = nullptr;
    std::int64_t result_bytes =
        0;  // to leave the site when an item ends; the site's egress is paid
    std::map<std::string, Duration>
        run_time_on;  // accelerator model → expected; wins over run_time
    std::map<std::string, std::string> run_time_basis_on;  // accelerator model → basis of it
    std::map<std::string, double> watts_per_device;  // accelerator model → under load, at sites
                                                     // that say nothing; absent: unknown
    // Nine in ten end by then; without it no later start is safe, and none is tried.
    std::optional<Duration> run_time_at_most;
    std::map<std::string, Duration> run_time_at_most_on;  // accelerator model → wins over it
};

// What is promised to others, for work that would start now.
struct Kept {
    const Reservations& promises;
    const NodeBook& book;
    WorkId work = 0;                  // what asks: its own promise does not count
    std::optional<Duration> at_most;  // that it runs, for all that is known; absent: unknown
};

struct Input {
    const TaskSpec& spec;
    std::string spec_sha256;
    std::int64_t items = 1;
    std::vector<Supply> supplies;
    std::vector<NodeId> avoid;  // failed for this item before: only if nothing else is feasible
    std::vector<NodeId> leave = {};  // to others: only if nothing else is feasible, before `avoid`
    Profile profile;
    std::optional<Money> budget_left;
    Time now;
    std::vector<CallerShare> callers = {};  // where its users call from; empty: unknown
    const Kept* kept = nullptr;             // absent: nothing is promised to anybody
    bool at_once = false;                   // no later start is looked for
    Duration deadline_margin{};  // that a later start leaves, beyond what it takes at most
};

// Filters first (filter.h), then the five terms (terms.h), then the strategy (objective.h). Pure
// and deterministic: the same input gives the same plan, byte for byte, in whatever order the
// supplies come.
//   A set of accelerators gives one candidate per node and model it holds; of a list, candidates
//   with
// an earlier choice always come first.
//   Ranges: the minimum is asked, priced and reserved. On shared nodes "4" and "4+" are therefore
//   the
// same request: at least four, and a limit at four.
//   An item of several nodes is a gang (gang.h): its members are chosen together and stand first,
//   by rank. Hold and estimated cost are those of all members.
//   The plan lists at most kCandidatesMax candidates: the best ones, and one of each filter reason.
//   Start time: at once; with a calendar, as soon as the node has room. Work with a deadline and a
//   bounded run time is also tried at every full hour of the outlook from which all its items, one
//   after another, still end in time, kStartsMax at most; a start that an earlier one on the same
//   node equals in cost and carbon is left out. A gang starts at once. Who gives an outlook or a
//   calendar has to carry Candidate::start_at out.
Plan plan(const Input& input);
constexpr std::size_t kStartsMax = 14UL * 24;
constexpr std::size_t kCandidatesMax = 512;

// Whether waiting could help where a plan is not feasible: other work ends, a node comes back.
bool may_become_feasible(const Plan& plan);

// What one item asks for, with defaults where the spec says nothing.
ResourceRequest request_of(const TaskSpec& spec);
constexpr std::int64_t kDefaultCpuMilli = 1000;
constexpr std::int64_t kDefaultMemoryMib = 1024;
constexpr Duration kDefaultRunTime = 1h;  // the span that is held where the run time is unknown

// Price of `request` at `site` for an hour, rounded up where 15 decimals do not hold it; refuses an
// accelerator the site has no price for.
Result<Price> hourly_price(const Site& site, const ResourceRequest& request);
// What this task pays for it when it is placed at `at`.
Result<Price> hourly_price(
    const Supply& supply, const ResourceRequest& request, const TaskSpec& spec, Time at
);
// Its percentage of the list price: that of the hour, and of this what the site asks of spot work;
// rounded up. Absent: the list price.
std::optional<std::int64_t> price_percent(const Supply& supply, const TaskSpec& spec, Time at);
// What `span` costs at that price, whole seconds, rounded up to a micro-yuan.
Result<Money> price_of_span(const Price& hourly, Duration span);

}  // namespace penstock::scheduler
