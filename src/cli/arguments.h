// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace penstock::cli {

// What was written on the command line, sorted into its kinds; flags by their long name.
struct Arguments {
    std::vector<std::string> operands;
    std::map<std::string, std::vector<std::string>, std::less<>> flags;
    std::vector<std::string> tail;  // everything behind "--"

    bool has(std::string_view flag) const { return flags.find(flag) != flags.end(); }
    std::optional<std::string> value(std::string_view flag) const {
        const auto found = flags.find(flag);
        if (found == flags.end() || found->second.empty()) return std::nullopt;
        return found->second.back();
    }
    std::string value_or(std::string_view flag, std::string otherwise) const {
        return value(flag).value_or(std::move(otherwise));
    }
    std::vector<std::string> values(std::string_view flag) const {
        const auto found = flags.find(flag);
        return found == flags.end() ? std::vector<std::string>{} : found->second;
    }
    // The operand at `index`, or empty.
    std::string operand(std::size_t index) const {
        return index < operands.size() ? operands[index] : std::string();
    }
};

}  // namespace penstock::cli
