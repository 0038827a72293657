// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <unordered_set>
#include <vector>

#include "batches/input_line.h"

namespace penstock::batches {

constexpr std::int64_t kLinesMax = 50'000;
constexpr std::size_t kFaultsShownMax = 100;  // further ones are not looked for
constexpr std::int64_t kIndexEvery = 64;

// What an input file holds. Lines of white space alone do not count.
struct CheckedInput {
    std::int64_t lines = 0;
    std::string model;                 // of every line
    std::vector<std::uint64_t> index;  // where every kIndexEvery-th line begins
    std::vector<BatchFault> faults;    // none: the batch can run
};

// Reads an input piece by piece. One owner; pure.
//     InputCheck check("/v1/embeddings");
//     while (…) check.feed(piece);
//     const CheckedInput input = check.finish();
class InputCheck {
  public:
    explicit InputCheck(std::string endpoint) : endpoint_(std::move(endpoint)) {}
    void feed(std::string_view piece);
    CheckedInput finish();

  private:
    void take_line(std::string_view line);
    void add_fault(BatchFault fault);
    bool full() const { return input_.faults.size() >= kFaultsShownMax; }

    std::string endpoint_;
    CheckedInput input_;
    std::string rest_;              // of a line whose end has not come
    bool too_long_ = false;         // the present line is; it was told
    std::uint64_t line_at_ = 0;     // where the present line begins
    std::int64_t line_number_ = 0;  // of the file, from 1
    std::unordered_set<std::string> custom_ids_;
};

// The first lines of `text` that are not blank, from the one that begins at its start on.
std::vector<std::string_view> lines_of(std::string_view text);
bool is_blank(std::string_view line);

}  // namespace penstock::batches
