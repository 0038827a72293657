// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <set>

#include "server/api.h"
#include "server/files.h"

// The second meter of endpoints: which tokenizer gateways count with, and what its counts and those
// of the engine came to.
namespace penstock::server {

// Whether gateways can count with the blob: the organisation stored it, it is no larger than
// tokenizer::kStoredBytesMax, and every step it names is implemented. Read on the pool.
struct TokenizerCheck {
    Platform* platform;
    BlobStore* blobs;
    io::Pool* pool;
};
io::Task<Result<void>> check_tokenizer(
    TokenizerCheck with, OrganisationId organisation, std::string sha256
);
// The same but for what is inside: not_found, naming `field`.
Result<void> check_tokenizer_stored(
    const Platform& platform, OrganisationId organisation, const std::string& sha256,
    std::string field
);
// Whether some endpoint names it: gateways may fetch it then.
bool is_tokenizer(const Platform& platform, const std::string& sha256);

// Adds settled calls to their endpoints, and writes each of these once.
class SecondMeters {
  public:
    explicit SecondMeters(Platform& platform) : platform_(platform) {}
    void add(const CallRecord& call);
    void store(Change& change);

  private:
    Platform& platform_;
    std::set<EndpointId> changed_;
};

}  // namespace penstock::server
