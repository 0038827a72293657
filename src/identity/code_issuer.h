// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstddef>
#include <cstdint>
#include <map>

#include "base/result.h"
#include "identity/registration_code.h"

namespace penstock::identity {

// Counts out registration codes under the prefixes of one node. Pure: the owner stores every code
// it issues *before* showing it to anyone, and replays all stored codes into a new issuer at start.
// A number once issued stays burnt, also when the application behind it is withdrawn.
// One owner, no locking.
//
//   auto code = TRY(issuer.issue({.node = NodeCode("R21"), .org = …, .city = …, .zone = …}));
class CodeIssuer {
  public:
    // Prefixes one issuer counts; further ones are refused with resource_exhausted.
    static constexpr std::size_t kPrefixesMax = 1'000'000;

    // The next code; resource_exhausted when the prefix has used its 2^40-1 numbers.
    Result<RegistrationCode> issue(const ZonePrefix& prefix);
    // The next code for something without a place: city 000000, zone SV.
    Result<RegistrationCode> issue_service(const NodeCode& node, const OrgCode& org);

    // Takes note of a code issued earlier: no number up to it is issued again. In any order.
    Result<void> replay(const RegistrationCode& code);
    // The highest number used under the prefix; 0 when none.
    std::uint64_t last_seq(const ZonePrefix& prefix) const;

  private:
    // The counter of a prefix, made at its first use.
    Result<std::uint64_t*> counter(const ZonePrefix& prefix);
    std::map<ZonePrefix, std::uint64_t> last_seq_;
};

}  // namespace penstock::identity
