// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"

// How people write amounts in a task spec. Each type reads a JSON number or a string, and prints
// the shortest text that reads back to the same value.
namespace penstock {

// "4" is exactly four, "4+" at least four, "2..8" from two to eight.
struct Range {
    std::int64_t min = 0;
    std::optional<std::int64_t> max = {};  // absent: no upper bound
    bool operator==(const Range&) const = default;
    bool contains(std::int64_t value) const { return value >= min && (!max || value <= *max); }
};

// CPUs in thousandths: "0.5", "32+".
struct CpuRange : Range {
    bool operator==(const CpuRange&) const = default;
};
Result<CpuRange> parse_cpu_range(std::string_view text);
std::string to_string(const CpuRange& range);

// Memory or disk in MiB. A bare number counts GB (2³⁰ bytes): "256+", "500MB", "24GB..80GB".
struct MemoryRange : Range {
    bool operator==(const MemoryRange&) const = default;
};
Result<MemoryRange> parse_memory_range(std::string_view text);
std::string to_string(const MemoryRange& range);

// One kind of accelerator and how many of it, in thousandths of a device: "H100:8", "A10:0.5".
struct Accelerator {
    std::string model;
    std::int64_t count_milli = 1000;
    bool operator==(const Accelerator&) const = default;
};
Result<Accelerator> parse_accelerator(std::string_view text);
std::string to_string(const Accelerator& accelerator);

// What the task can use: any of a set (the optimizer chooses) or the first of a list that fits.
struct Accelerators {
    std::vector<Accelerator> choices;
    bool ordered = false;
    bool operator==(const Accelerators&) const = default;
};

// A value of an environment variable: a string, or a number or boolean written without quotes.
struct EnvText {
    std::string text;
    bool operator==(const EnvText&) const = default;
};

}  // namespace penstock
