// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "gateway/api_answer.h"
#include "http/headers.h"
#include "model/endpoint.h"

namespace penstock::gateway {

// Settings of the key and its project, as headers of a request that does not say them itself, so
// that they are read in one place. A request that contradicts a fixed one is refused by the
// header's name. Lines of batches take those alone that are no matter of who waits.
ApiResult<void> take_settings(http::Headers& headers, const ResolvedKey& key, bool is_batch_line);

// What becomes of a stream whose engine breaks off or falls silent, by the headers of its call.
struct StreamPolicy {
    StreamFailure failure = StreamFailure::terminate;
    std::optional<Duration> read_timeout;
};
ApiResult<StreamPolicy> read_stream_policy(const http::Headers& headers);
// What a stream costs that is left before it was sent anything.
ApiResult<Undelivered> read_undelivered(const http::Headers& headers);

}  // namespace penstock::gateway
