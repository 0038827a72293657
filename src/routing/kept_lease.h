// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <boost/describe/class.hpp>
#include <string>
#include <unordered_map>
#include <vector>

#include "base/time.h"
#include "model/allowance.h"
#include "model/endpoint.h"

namespace penstock::routing {

// Which process the server knows a lease by.
struct LeaseHolder {
    std::string replica;
    RunId run;
    bool operator==(const LeaseHolder&) const = default;
};
BOOST_DESCRIBE_STRUCT(LeaseHolder, (), (replica, run))

// One lease of one account as it outlives the process that had it. What another process may still
// use of it is rest().
struct KeptLease {
    AllowanceAccount account;
    LeaseId lease_id;
    LeaseHolder holder;
    Units granted;   // as far as the holder was told
    Units returned;  // given back to the server
    Units used;      // of what is consumed: by calls that have ended
    Units ceded;     // left to another process of this gateway
    Time expires_at;
    Units limit;
    Units remaining;  // at the server, when it was last heard
    Units rest() const { return granted - returned - used - ceded; }
    bool operator==(const KeptLease&) const = default;
};
BOOST_DESCRIBE_STRUCT(
    KeptLease, (),
    (account, lease_id, holder, granted, returned, used, ceded, expires_at, limit, remaining)
)

// What calls have used of leases, by their records. Pure.
class LeaseSpending {
  public:
    // Of a call that has ended. Attempts that the platform pays count for nothing.
    void add(const CallRecord& call);
    // Takes what was added out of the leases. Minutes and calls at one time are not in records.
    void take_from(std::vector<KeptLease>& leases) const;

  private:
    struct Sum {
        ExactMoney charge;
        std::int64_t requests = 0;
        std::int64_t tokens = 0;
    };
    std::unordered_map<LeaseId, Sum> by_lease_;
};

}  // namespace penstock::routing
