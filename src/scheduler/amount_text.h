// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <string>

#include "scheduler/objective.h"

// Amounts as people read them, the same in both languages unless there are two.
namespace penstock::scheduler {

std::string thousandths(std::int64_t milli);  // "0.5", "8"
std::string memory_text(std::int64_t mib);    // "512 MiB", "4 GiB", "1.5 GiB"

// "cost", "成本"
std::string_view name_of(Term term);
std::string_view name_zh_of(Term term);
// "0.036 yuan", "1h30m", "0.50", "28 ms", "0.975 g"; "unknown" where it is absent.
std::string value_text(Term term, const std::optional<double>& value);
std::string value_text_zh(Term term, const std::optional<double>& value);

}  // namespace penstock::scheduler
