// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <string>

#include "agent/content_hash.h"
#include "base/random.h"
#include "http/client.h"
#include "io/pool.h"
#include "io/task.h"

namespace penstock::agent {

// Files by content hash, at the server: GET, HEAD and PUT /v1/blobs/{sha256}. Streams between
// socket and disk; memory is bounded by kPieceBytes a transfer. Tries again while the server is
// away.
class Blobs {
  public:
    static constexpr std::size_t kPieceBytes = std::size_t{1} << 20;
    static constexpr Duration kAnswerMax = 30s;  // to the header of an answer, or the next bytes
    static constexpr std::int64_t kBytesPerSecondMin =
        128L * 1024;                                   // a slower upload is tried again
    static constexpr Duration kFetchRetryMax = 10min;  // then the attempt fails, and runs elsewhere
    static constexpr Duration kStoreRetryMax = 24h;  // what ran is not given up for a short outage

    Blobs(http::Client& client, io::Pool& pool, std::string server_url, const std::string& key);

    // Writes the blob to `file`, replacing it. not_found: there is no such blob; conflict: what
    // came is not what was asked for.
    io::Task<Result<void>> fetch(std::string sha256, std::string file);
    // Uploads what `descriptor` holds from its beginning, unless the server has it.
    // resource_exhausted: larger than the server takes.
    io::Task<Result<void>> store(int descriptor, HashedFile file);

  private:
    io::Task<Result<void>> fetch_once(std::string sha256, std::string file);
    io::Task<Result<void>> store_once(int descriptor, HashedFile file);
    http::ClientRequest request(std::string method, const std::string& sha256) const;

    http::Client& client_;
    io::Pool& pool_;
    std::string server_url_;
    std::string authorization_;
    SystemRandom random_;
};

}  // namespace penstock::agent
