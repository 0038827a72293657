// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <memory>
#include <span>
#include <vector>

#include "ledger/transfer.h"

namespace penstock::ledger {

// Hashes what callers ask for, so that an id can be told apart from its reuse. Keeps a digest
// context between calls; one owner.
class RequestHasher {
  public:
    RequestHasher();
    ~RequestHasher();
    RequestHasher(RequestHasher&&) noexcept;
    RequestHasher& operator=(RequestHasher&&) noexcept;

    // The hash of the whole chain; member i has this plus i.
    RequestHash of_chain(std::span<const TransferRequest> chain);

  private:
    struct Context;
    std::unique_ptr<Context> context_;
};
RequestHash member_hash(const RequestHash& chain, std::size_t index);

}  // namespace penstock::ledger
