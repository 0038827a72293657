// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <map>
#include <optional>
#include <set>
#include <string>

#include "base/time.h"
#include "model/batch.h"

namespace penstock::batches {

// How long lines take and how many run at one time, as measured: means that follow the newest.
// Pure; one owner.
class LinePace {
  public:
    static constexpr Duration kLineTimeFirst = 30s;  // of a model of which no line has ended yet
    static constexpr double kNewest = 0.1;           // its weight in the mean of line times
    static constexpr Duration kPlacesOver = 5min;

    // A line had a place for so long.
    void line_ended(BatchId batch, const std::string& model, Duration took);
    // As measured of the batch's own lines, else of the model's; absent: of neither.
    std::optional<Duration> measured(BatchId batch, const std::string& model) const;
    Duration line_time(BatchId batch, const std::string& model) const {
        return measured(batch, model).value_or(kLineTimeFirst);
    }
    // Lines that run or could begin now, at all endpoints of the model.
    void places_seen(const std::string& model, std::int64_t places, Time now);
    double places(const std::string& model) const;
    void keep_only(const std::set<BatchId>& batches, const std::set<std::string>& models);

  private:
    struct Places {
        double mean = 0;
        Time at;
    };
    std::map<BatchId, Duration> of_batch_;
    std::map<std::string, Duration> of_model_;
    std::map<std::string, Places> places_;
};

}  // namespace penstock::batches
