// SPDX-License-Identifier: Apache-2.0
#include "identity/code_issuer.h"

#include <algorithm>
#include <string>

namespace penstock::identity {

Result<RegistrationCode> CodeIssuer::issue(const ZonePrefix& prefix) {
    std::uint64_t& last = *TRY(counter(prefix));
    if (last >= kSeqMax)
        return fail(
            ErrorCode::resource_exhausted,
            "all 2^40-1 numbers under " + to_string(prefix) + " are used; issue under another zone"
        );
    ++last;
    return RegistrationCode{prefix.node, prefix.org, prefix.city, prefix.zone, last};
}

Result<RegistrationCode> CodeIssuer::issue_service(const NodeCode& node, const OrgCode& org) {
    return issue({node, org, CityCode(kServiceCity), ZoneCode(kServiceZone)});
}

Result<void> CodeIssuer::replay(const RegistrationCode& code) {
    if (code.seq == 0 || code.seq > kSeqMax)
        return fail(
            ErrorCode::invalid_argument,
            "number " + std::to_string(code.seq) + " was never issued; numbers are 1 to 2^40-1"
        );
    std::uint64_t& last = *TRY(counter(code.prefix()));
    last = std::max(last, code.seq);
    return {};
}

std::uint64_t CodeIssuer::last_seq(const ZonePrefix& prefix) const {
    const auto found = last_seq_.find(prefix);
    return found == last_seq_.end() ? 0 : found->second;
}

Result<std::uint64_t*> CodeIssuer::counter(const ZonePrefix& prefix) {
    if (const auto found = last_seq_.find(prefix); found != last_seq_.end()) return &found->second;
    TRY(validate(prefix));
    if (last_seq_.size() >= kPrefixesMax)
        return fail(
            ErrorCode::resource_exhausted, "this issuer counts " + std::to_string(kPrefixesMax) +
                                               " prefixes already; " + to_string(prefix) +
                                               " needs an issuer of its own"
        );
    return &last_seq_.emplace(prefix, 0).first->second;
}

}  // namespace penstock::identity
