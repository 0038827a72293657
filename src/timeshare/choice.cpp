// SPDX-License-Identifier: Apache-2.0
#include "timeshare/choice.h"

#include <algorithm>
#include <cmath>
#include <tuple>

#include "timeshare/assignment.h"

namespace penstock::timeshare {
namespace {

constexpr int kPassesMax = 8;       // of improvement; each only ever raises the sum
constexpr double kGainMin = 1e-12;  // relative; below it is rounding

// Devices asked for over devices there are, at most one.
double pressure(const Problem& problem) {
    double asked = 0;
    for (const Job& job : problem.jobs) asked += static_cast<double>(job.devices);
    double devices = 0;
    for (const Kind& kind : problem.kinds) devices += static_cast<double>(kind.devices);
    return std::min(1.0, asked / devices);
}

double urgency(Worth worth, const Job& job, double best) {
    if (worth == Worth::least_left)
        return std::pow(job.steps_left / best / to_seconds(kRound) + 1, -kUrgency);
    const auto passed =
        std::ranges::count_if(kServedLevels, [&](double level) { return job.served_s >= level; });
    return std::pow(1 - kServedLoss, passed);
}

Worths worths_of(Worth worth, const Problem& problem, const Places& last) {
    const double moved = 1 - std::max(problem.move_s / to_seconds(kRound), kMoveLoss);
    const double size_counts = pressure(problem);
    Worths worths{.kinds = problem.kinds.size()};
    for (std::size_t i = 0; i < problem.jobs.size(); ++i) {
        const Job& job = problem.jobs[i];
        const double best = best_rate(problem, job);
        const double whole = job.weight * urgency(worth, job, best) *
                             std::pow(static_cast<double>(job.devices), size_counts);
        for (std::size_t j = 0; j < worths.kinds; ++j) {
            const double fitness = runs_on(problem, job, j) ? job.rate[j] / best : 0;
            worths.values.push_back(whole * fitness * (last[i] == j ? 1 : moved));
        }
    }
    return worths;
}

// Who is served first: who leaves most above the price of a device, or who is worth most as a
// whole, which is better where a job is about as large as a kind.
enum class Order : std::uint8_t { a_device, whole };

class Assignment {
  public:
    Assignment(const Problem& problem, const Worths& worths, const DevicePrices& prices)
        : problem_(problem), worths_(worths), prices_(prices), chosen_(problem.jobs.size()) {
        for (const Kind& kind : problem.kinds) free_.push_back(kind.devices);
    }

    void fill(Order order) {
        std::vector<Pair> pairs;
        for (std::size_t i = 0; i < chosen_.size(); ++i)
            for (std::size_t j = 0; j < worths_.kinds; ++j)
                if (worths_.at(i, j) > 0) pairs.push_back({impatient(i), rank(order, i, j), i, j});
        std::ranges::sort(pairs, [](const Pair& a, const Pair& b) { return a < b; });
        for (const Pair& pair : pairs)
            if (!chosen_[pair.job] && devices(pair.job) <= free_[pair.kind])
                put(pair.job, pair.kind);
    }

    void improve() {
        for (int pass = 0; pass < kPassesMax; ++pass) {
            bool better = false;
            for (std::size_t i = 0; i < chosen_.size(); ++i) better |= move(i);
            const std::vector<std::size_t> running = this->running();
            for (std::size_t a = 0; a < running.size(); ++a)
                for (std::size_t b = a + 1; b < running.size(); ++b)
                    better |= swap(running[a], running[b]);
            for (std::size_t i = 0; i < chosen_.size(); ++i)
                for (std::size_t j = 0; j < worths_.kinds; ++j)
                    if (promises(i, j)) better |= exchange(i, j);
            if (!better) return;
        }
    }

    // Nobody has a place yet.
    void begin_with(const Places& places) {
        for (std::size_t i = 0; i < places.size(); ++i)
            if (places[i]) put(i, *places[i]);
    }

    double sum() const {
        double sum = 0;
        for (std::size_t i = 0; i < chosen_.size(); ++i) sum += worth_now(i);
        return sum;
    }

    const Places& places() const { return chosen_; }
    bool nobody_impatient() const {
        return std::ranges::none_of(problem_.jobs, [](const Job& job) {
            return job.waited_s >= kPatienceS;
        });
    }
    std::vector<bool> kept() const {
        std::vector<bool> kept;
        for (std::size_t i = 0; i < chosen_.size(); ++i) kept.push_back(impatient(i) && chosen_[i]);
        return kept;
    }

  private:
    struct Pair {
        bool impatient = false;
        double rank = 0;
        std::size_t job = 0;
        std::size_t kind = 0;
        bool operator<(const Pair& other) const {
            return std::tie(other.impatient, other.rank, job, kind) <
                   std::tie(impatient, rank, other.job, other.kind);
        }
    };
    // A job that makes room for another.
    struct Leaver {
        double loss = 0;  // a device
        std::size_t job = 0;
        bool operator<(const Leaver& other) const {
            return std::tie(loss, job) < std::tie(other.loss, other.job);
        }
    };

    std::int64_t devices(std::size_t job) const { return problem_.jobs[job].devices; }
    bool impatient(std::size_t job) const { return problem_.jobs[job].waited_s >= kPatienceS; }
    double worth_now(std::size_t job) const {
        return chosen_[job] ? worths_.at(job, *chosen_[job]) : 0;
    }
    double above_price(std::size_t job, std::size_t kind) const {
        return worths_.at(job, kind) - prices_.of[kind] * static_cast<double>(devices(job));
    }

    double rank(Order order, std::size_t job, std::size_t kind) const {
        return order == Order::whole ? worths_.at(job, kind)
                                     : above_price(job, kind) / static_cast<double>(devices(job));
    }

    void put(std::size_t job, std::size_t kind) {
        chosen_[job] = kind;
        free_[kind] -= devices(job);
    }

    void drop(std::size_t job) {
        if (!chosen_[job]) return;
        free_[*chosen_[job]] += devices(job);
        chosen_[job].reset();
    }

    std::vector<std::size_t> running() const {
        std::vector<std::size_t> jobs;
        for (std::size_t i = 0; i < chosen_.size(); ++i)
            if (chosen_[i]) jobs.push_back(i);
        return jobs;
    }

    bool move(std::size_t job) {
        double most = worth_now(job) * (1 + kGainMin);
        std::optional<std::size_t> to;
        for (std::size_t j = 0; j < worths_.kinds; ++j) {
            if (devices(job) > free_[j] || worths_.at(job, j) <= most) continue;
            most = worths_.at(job, j);
            to = j;
        }
        if (!to) return false;
        drop(job);
        put(job, *to);
        return true;
    }

    bool swap(std::size_t a, std::size_t b) {
        const std::size_t at_a = *chosen_[a];
        const std::size_t at_b = *chosen_[b];
        if (at_a == at_b || devices(a) != devices(b)) return false;
        if (worths_.at(a, at_b) == 0 || worths_.at(b, at_a) == 0) return false;
        const double now = worth_now(a) + worth_now(b);
        if (worths_.at(a, at_b) + worths_.at(b, at_a) <= now * (1 + kGainMin)) return false;
        std::swap(chosen_[a], chosen_[b]);
        return true;
    }

    // Prices say at once which exchanges cannot be worth a search.
    bool promises(std::size_t job, std::size_t kind) const {
        constexpr double kSlack = 0.05;  // of the worth: prices are near the best ones, not exact
        if (worths_.at(job, kind) <= worth_now(job) || chosen_[job] == kind) return false;
        const double now = chosen_[job] ? above_price(job, *chosen_[job]) : 0;
        return above_price(job, kind) > now - kSlack * worths_.at(job, kind);
    }

    // Puts a job on a kind that has no room for it. Those that lose least a device leave the kind
    // for the place that the job had, or wait.
    bool exchange(std::size_t job, std::size_t kind) {
        const double gain = worths_.at(job, kind) - worth_now(job);
        const std::optional<std::size_t> from = chosen_[job];
        std::int64_t room = from ? free_[*from] + devices(job) : 0;
        std::int64_t missing = devices(job) - free_[kind];
        double loss = 0;
        std::vector<std::pair<std::size_t, bool>> leave;  // and whether for the job's place
        for (const Leaver& leaver : leavers(kind, from)) {
            if (missing <= 0 || loss >= gain) break;
            const double there = from ? worths_.at(leaver.job, *from) : 0;
            const bool fits = there > 0 && devices(leaver.job) <= room;
            if (fits) room -= devices(leaver.job);
            missing -= devices(leaver.job);
            loss += worths_.at(leaver.job, kind) - (fits ? there : 0);
            leave.emplace_back(leaver.job, fits);
        }
        if (missing > 0 || loss >= gain * (1 - kGainMin)) return false;
        drop(job);
        for (const auto& [leaver, fits] : leave) drop(leaver);
        put(job, kind);
        for (const auto& [leaver, fits] : leave)
            if (fits) put(leaver, *from);
        return true;
    }

    std::vector<Leaver> leavers(std::size_t kind, std::optional<std::size_t> to) const {
        std::vector<Leaver> all;
        for (std::size_t i = 0; i < chosen_.size(); ++i) {
            if (chosen_[i] != kind || impatient(i)) continue;
            const double loss = worths_.at(i, kind) - (to ? worths_.at(i, *to) : 0);
            all.push_back({loss / static_cast<double>(devices(i)), i});
        }
        std::ranges::sort(all, [](const Leaver& a, const Leaver& b) { return a < b; });
        return all;
    }

    const Problem& problem_;
    const Worths& worths_;
    const DevicePrices& prices_;
    std::vector<std::int64_t> free_;
    Places chosen_;
};

// The first way that comes near enough to the bound, or the best of all.
class Chooser {
  public:
    Chooser(const Problem& problem, const Worths& worths)
        : problem_(problem), worths_(worths), prices_(device_prices(problem, worths)) {}

    Places choose() {
        Assignment first = blank();
        first.fill(Order::a_device);
        consider(first);
        if (best_ < prices_.worth_max * (1 - kShortfallMax)) {
            Assignment second = blank();
            second.fill(Order::whole);
            consider(second);
        }
        if (problem_.jobs.size() <= kSearchedJobsMax)
            search();
        else if (best_ < prices_.worth_max * (1 - kShortfallMax))
            round_cut();
        return std::move(places_);
    }

  private:
    Assignment blank() const { return {problem_, worths_, prices_}; }

    void consider(Assignment& assignment) {
        assignment.improve();
        if (!places_.empty() && assignment.sum() <= best_) return;
        best_ = assignment.sum();
        places_ = assignment.places();
        kept_ = assignment.kept();
    }

    void search() {
        if (best_ >= prices_.worth_max * (1 - kGainMin)) return;
        if (auto better = search_better(problem_, worths_, prices_, places_, kept_))
            places_ = std::move(*better);
    }

    void round_cut() {
        if (worths_.values.size() > kCutPairsMax || !blank().nobody_impatient()) return;
        const Result<CutAssignment> cut = cut_assignment(problem_, worths_);
        if (!cut) return;  // the solver gave up: what there is stays
        Assignment third = blank();
        third.begin_with(cut->whole);
        third.fill(Order::a_device);
        consider(third);
    }

    const Problem& problem_;
    const Worths& worths_;
    const DevicePrices prices_;
    Places places_;
    std::vector<bool> kept_;
    double best_ = 0;
};

}  // namespace

Result<Places> choose(Worth worth, const Problem& problem, const Places& last) {
    TRY(check(problem));
    if (last.size() != problem.jobs.size())
        return fail_field(ErrorCode::invalid_argument, "last", "give one entry for each job");
    const Worths worths = worths_of(worth, problem, last);
    return Chooser(problem, worths).choose();
}

}  // namespace penstock::timeshare
