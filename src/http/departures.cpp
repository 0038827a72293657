// SPDX-License-Identifier: Apache-2.0
#include "http/departures.h"

#include <utility>

#include "http/connection.h"

namespace penstock::http {

void Departures::add(Connection* connection) {
    if (connection->departure_at != kNowhere) return;
    connection->departure_at = waiting_.size();
    waiting_.push_back(connection);
    added_.notify_one();
}

void Departures::remove(Connection* connection) {
    const std::size_t at = std::exchange(connection->departure_at, kNowhere);
    if (at == kNowhere) return;
    waiting_[at] = waiting_.back();
    if (waiting_[at] != connection) waiting_[at]->departure_at = at;
    waiting_.pop_back();
}

io::Task<> Departures::look_forever() {
    while (true) {
        while (waiting_.empty()) co_await added_.wait();
        co_await io::sleep_for(kLookAfter);
        for (Connection* const connection : std::exchange(waiting_, {})) {
            connection->departure_at = kNowhere;
            connection->look_for_departure();
        }
    }
}

}  // namespace penstock::http
