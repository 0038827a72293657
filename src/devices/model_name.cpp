// SPDX-License-Identifier: Apache-2.0
#include <algorithm>
#include <array>

#include "devices/vendor.h"

namespace penstock::devices {
namespace {

bool is_digit(char c) { return c >= '0' && c <= '9'; }

std::vector<std::string_view> words_of(std::string_view text) {
    std::vector<std::string_view> words;
    while (true) {
        const std::size_t first = text.find_first_not_of(" -[](),/");
        if (first == std::string_view::npos) return words;
        text.remove_prefix(first);
        const std::size_t end = std::min(text.find_first_of(" -[](),/"), text.size());
        words.push_back(text.substr(0, end));
        text.remove_prefix(end);
    }
}

template <std::size_t N>
bool is_one_of(std::string_view word, const std::array<std::string_view, N>& list) {
    return std::ranges::find(list, word) != list.end();
}

// "80GB", "40G"
bool is_size(std::string_view word) {
    return !word.empty() && is_digit(word.front()) && (word.ends_with("GB") || word.ends_with("G"));
}

}  // namespace

std::string nvidia_model(std::string_view full_name) {
    constexpr std::array<std::string_view, 5> kFamilies = {
        "NVIDIA", "Tesla", "GeForce", "Quadro", "Graphics"
    };
    constexpr std::array<std::string_view, 11> kForms = {
        "PCIe", "PCIE", "SXM2", "SXM3", "SXM4", "SXM5", "HBM2", "HBM3", "HBM3e", "NVL", "Device"
    };
    // A part of a device: the profile belongs to what a task asks for.
    const std::size_t mig = full_name.find(" MIG ");
    std::string model;
    for (const std::string_view word : words_of(full_name.substr(0, mig)))
        if (!is_one_of(word, kFamilies) && !is_one_of(word, kForms) && !is_size(word))
            model += word;
    if (mig != std::string_view::npos) model += "-" + std::string(full_name.substr(mig + 5));
    return model;
}

std::string ascend_model(std::string_view full_name) {
    if (full_name.empty()) return "";
    if (full_name.starts_with("Ascend ")) full_name.remove_prefix(7);
    // "910B4-1" is a board form of the 910B4.
    const std::string_view chip = full_name.substr(0, full_name.find('-'));
    return chip.starts_with("Ascend") ? std::string(chip) : "Ascend" + std::string(chip);
}

std::string amd_model(std::string_view full_name) {
    constexpr std::array<std::string_view, 5> kFamilies = {
        "AMD", "Radeon", "Instinct", "INSTINCT", "Series"
    };
    const std::vector<std::string_view> words = words_of(full_name);
    for (const std::string_view word : words)
        if (word.size() > 2 && word.starts_with("MI") && is_digit(word[2]))
            return std::string(word);
    std::string model;
    for (const std::string_view word : words)
        if (!is_one_of(word, kFamilies)) model += word;
    return model;
}

}  // namespace penstock::devices
