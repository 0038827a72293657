// SPDX-License-Identifier: Apache-2.0
#include "timeshare/prices.h"

#include <algorithm>
#include <limits>

namespace penstock::timeshare {
namespace {

// What the jobs do at given prices.
struct Response {
    std::vector<double> asked;  // devices of each kind
    double sum = 0;             // of all devices' prices and of what is left to the jobs
};

Response respond(const Problem& problem, const Worths& worths, const std::vector<double>& prices) {
    Response response{.asked = std::vector<double>(worths.kinds, 0)};
    for (std::size_t j = 0; j < worths.kinds; ++j)
        response.sum += prices[j] * static_cast<double>(problem.kinds[j].devices);
    for (std::size_t i = 0; i < problem.jobs.size(); ++i) {
        const auto devices = static_cast<double>(problem.jobs[i].devices);
        double most = 0;
        std::size_t taken = worths.kinds;
        for (std::size_t j = 0; j < worths.kinds; ++j) {
            const double left = worths.at(i, j) - prices[j] * devices;
            if (worths.at(i, j) == 0 || left <= most) continue;
            most = left;
            taken = j;
        }
        response.sum += most;
        if (taken < worths.kinds) response.asked[taken] += devices;
    }
    return response;
}

}  // namespace

DevicePrices device_prices(const Problem& problem, const Worths& worths) {
    constexpr double kFirstStep = 0.5;  // of the highest worth of a device
    double highest = 0;
    for (std::size_t i = 0; i < problem.jobs.size(); ++i)
        for (std::size_t j = 0; j < worths.kinds; ++j)
            highest =
                std::max(highest, worths.at(i, j) / static_cast<double>(problem.jobs[i].devices));
    std::vector<double> prices(worths.kinds, 0);
    DevicePrices best{.of = prices, .worth_max = std::numeric_limits<double>::infinity()};
    for (int step = 0; step < kPriceSteps; ++step) {
        const Response response = respond(problem, worths, prices);
        if (response.sum < best.worth_max) best = {prices, response.sum};
        const double length = highest * kFirstStep / (1 + step);
        bool short_of_any = false;
        for (std::size_t j = 0; j < worths.kinds; ++j) {
            const auto devices = static_cast<double>(problem.kinds[j].devices);
            short_of_any |= response.asked[j] > devices;
            const double excess =
                devices > 0 ? std::clamp((response.asked[j] - devices) / devices, -1.0, 1.0) : 1;
            prices[j] = std::max(0.0, prices[j] + length * excess);
        }
        if (step == 0 && !short_of_any) break;  // all have what they want for nothing
    }
    return best;
}

}  // namespace penstock::timeshare
