// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <map>
#include <set>

#include "io/event.h"
#include "io/task.h"
#include "server/api.h"
#include "tasks/service_scaler.h"

namespace penstock::server {

constexpr Duration kScaleEvery = 1s;

// Lets services follow their load: takes what gateways report, asks the ServiceScaler once a second
// (at once when somebody calls and nothing runs), changes the number of replicas on the board, and
// stops those that leave when no gateway has a call there any more. Runs on the owner's executor.
class ElasticServices {
  public:
    explicit ElasticServices(Platform& platform);
    void add_routes(Api& api);
    io::Task<void> run();
    // One look at every service; what run() does again and again.
    void tick();
    Result<TakenLoads> report(const ReportLoads& report);

  private:
    void follow(Change& change, const Task& task, bool others_wait);
    // What lines of batches ask of it, where its load and all other work leave nodes idle.
    tasks::LinesAsk lines_ask(const Task& task, bool others_wait) const;
    // The replicas that leave first, as many as are lent.
    void name_lent(const Task& task);
    // Those for whom the next replica is placed.
    std::vector<CallerShare> next_callers(TaskId id) const;
    bool is_drained(const Attempt& attempt, const std::map<EndpointId, std::int64_t>& before);

    Platform& platform_;
    tasks::ServiceScaler scaler_;
    io::Event wake_;
    std::set<TaskId> open_;
    // The first table of routes without them, of endpoints whose replica leaves.
    std::map<EndpointId, std::int64_t> withdrawn_;
};

// The part of the route table that tells gateways of elastic services.
std::vector<ElasticRoute> elastic_routes(const Platform& platform);

}  // namespace penstock::server
