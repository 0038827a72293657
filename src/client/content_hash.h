// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <filesystem>
#include <memory>
#include <string>
#include <string_view>

#include "base/result.h"

namespace penstock::client {

// SHA-256 of what is fed to it, as 64 lower-case hexadecimal digits: the name of a blob.
class ContentHash {
  public:
    ContentHash();
    ~ContentHash();
    ContentHash(ContentHash&&) noexcept;
    ContentHash& operator=(ContentHash&&) noexcept;
    void feed(std::string_view bytes);
    std::string finish();  // once

  private:
    struct State;
    std::unique_ptr<State> state_;
};

std::string content_hash(std::string_view bytes);
// Reads the file in pieces; blocks.
Result<std::string> content_hash_of_file(const std::filesystem::path& file);

}  // namespace penstock::client
