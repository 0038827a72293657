// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>

#include "base/result.h"

namespace penstock::agent {

// SHA-256, as blobs are named by it: 64 lower-case hexadecimal digits.
class ContentHash {
  public:
    ContentHash();
    ~ContentHash();
    void update(std::string_view bytes);
    std::string finish();  // once

  private:
    struct State;
    std::unique_ptr<State> state_;
};

bool is_content_hash(std::string_view text);

struct HashedFile {
    std::string sha256;
    std::int64_t bytes = 0;
    bool operator==(const HashedFile&) const = default;
};
// From the descriptor's current position to its end; the descriptor stays open.
Result<HashedFile> hash_file(int descriptor);

}  // namespace penstock::agent
