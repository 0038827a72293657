// SPDX-License-Identifier: Apache-2.0
#include "timeshare/assignment.h"

#include <algorithm>
#include <tuple>

#include "timeshare/linear_program.h"

namespace penstock::timeshare {
namespace {

constexpr double kWhole = 1 - 1e-6;  // of a job: the solver's zero is not exact
constexpr double kGainMin = 1e-9;    // relative; below it is rounding

double worth_of(const Worths& worths, const Places& places) {
    double sum = 0;
    for (std::size_t i = 0; i < places.size(); ++i)
        if (places[i]) sum += worths.at(i, *places[i]);
    return sum;
}

// Depth first, the likely best place of each job first. What the jobs to come can add is bounded by
// what prices leave them and by the prices of the devices that are still free.
class Search {
  public:
    Search(
        const Problem& problem, const Worths& worths, const DevicePrices& prices,
        const Places& known, const std::vector<bool>& kept
    )
        : problem_(problem), prices_(prices), now_(known), best_(worth_of(worths, known)) {
        for (const Kind& kind : problem.kinds) free_.push_back(kind.devices);
        for (std::size_t i = 0; i < known.size(); ++i) {
            if (!kept[i]) {
                branches_.push_back(branch(worths, i));
                now_[i].reset();
            } else if (known[i]) {
                worth_ += worths.at(i, *known[i]);
                free_[*known[i]] -= problem.jobs[i].devices;
            }
        }
        // Large ones first: what is left over then fits the small ones.
        std::ranges::sort(branches_, [](const Branch& a, const Branch& b) {
            return std::tie(b.devices, a.job) < std::tie(a.devices, b.job);
        });
        left_after_.assign(branches_.size() + 1, 0);
        for (std::size_t k = branches_.size(); k-- > 0;)
            left_after_[k] = left_after_[k + 1] + branches_[k].left_max;
    }

    std::optional<Places> run() {
        go(0);
        return found_;
    }

  private:
    struct Choice {
        double left = 0;  // above the price of the devices
        double worth = 0;
        std::size_t kind = 0;
    };
    struct Branch {
        std::size_t job = 0;
        std::int64_t devices = 0;
        double left_max = 0;
        std::vector<Choice> choices;
    };

    Branch branch(const Worths& worths, std::size_t job) const {
        Branch branch{.job = job, .devices = problem_.jobs[job].devices};
        for (std::size_t j = 0; j < worths.kinds; ++j) {
            const double worth = worths.at(job, j);
            if (worth <= 0) continue;
            const double left = worth - prices_.of[j] * static_cast<double>(branch.devices);
            branch.choices.push_back({left, worth, j});
            branch.left_max = std::max(branch.left_max, left);
        }
        std::ranges::sort(branch.choices, [](const Choice& a, const Choice& b) {
            return std::tie(b.left, a.kind) < std::tie(a.left, b.kind);
        });
        return branch;
    }

    double bound(std::size_t depth) const {
        double bound = worth_ + left_after_[depth];
        for (std::size_t j = 0; j < free_.size(); ++j)
            bound += prices_.of[j] * static_cast<double>(free_[j]);
        return bound;
    }

    void go(std::size_t depth) {
        if (steps_++ >= kSearchSteps || bound(depth) <= best_ * (1 + kGainMin)) return;
        if (depth == branches_.size()) {
            if (worth_ <= best_ * (1 + kGainMin)) return;
            best_ = worth_;
            found_ = now_;
            return;
        }
        const Branch& branch = branches_[depth];
        bool waits_tried = false;
        for (const Choice& choice : branch.choices) {
            if (choice.left < 0 && !waits_tried) {
                waits_tried = true;
                go(depth + 1);
            }
            if (branch.devices > free_[choice.kind]) continue;
            free_[choice.kind] -= branch.devices;
            worth_ += choice.worth;
            now_[branch.job] = choice.kind;
            go(depth + 1);
            now_[branch.job].reset();
            worth_ -= choice.worth;
            free_[choice.kind] += branch.devices;
        }
        if (!waits_tried) go(depth + 1);
    }

    const Problem& problem_;
    const DevicePrices& prices_;
    std::vector<Branch> branches_;
    std::vector<double> left_after_;  // of the branches from there on
    std::vector<std::int64_t> free_;
    Places now_;
    double worth_ = 0;
    double best_ = 0;
    std::optional<Places> found_;
    std::size_t steps_ = 0;
};

}  // namespace

Result<CutAssignment> cut_assignment(const Problem& problem, const Worths& worths) {
    LinearProgram program;
    std::vector<std::vector<LinearProgram::Entry>> used(worths.kinds);
    for (std::size_t i = 0; i < problem.jobs.size(); ++i) {
        std::vector<LinearProgram::Entry> once;
        for (std::size_t j = 0; j < worths.kinds; ++j) {
            const bool runs = worths.at(i, j) > 0;
            const std::size_t part = program.add_variable(worths.at(i, j), 0, runs ? 1 : 0);
            once.push_back({part, 1});
            used[j].push_back({part, static_cast<double>(problem.jobs[i].devices)});
        }
        program.add_row(std::move(once), -LinearProgram::kInfinity, 1);
    }
    for (std::size_t j = 0; j < worths.kinds; ++j)
        program.add_row(
            std::move(used[j]), -LinearProgram::kInfinity,
            static_cast<double>(problem.kinds[j].devices)
        );
    const std::vector<double> parts = TRY(program.maximise());
    CutAssignment cut{.whole = Places(problem.jobs.size())};
    for (std::size_t i = 0; i < problem.jobs.size(); ++i)
        for (std::size_t j = 0; j < worths.kinds; ++j) {
            const double part = parts[i * worths.kinds + j];
            cut.worth += part * worths.at(i, j);
            if (part > kWhole) cut.whole[i] = j;
        }
    return cut;
}

std::optional<Places> search_better(
    const Problem& problem, const Worths& worths, const DevicePrices& prices, const Places& known,
    const std::vector<bool>& kept
) {
    return Search(problem, worths, prices, known, kept).run();
}

}  // namespace penstock::timeshare
