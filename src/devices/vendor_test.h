// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <fmt/format.h>
#include <gtest/gtest.h>

#include <fstream>
#include <sstream>

#include "devices/vendor.h"

namespace penstock::devices {

// Every field that is there, on one line, so that a test compares one text.
inline std::string shown(const Device& device) {
    std::string text = fmt::format("{} {} {}", device.index, device.vendor, device.model);
    const auto add = [&](std::string_view key, const auto& value) {
        if (value) text += fmt::format(" {}={}", key, *value);
    };
    const auto word = [&](std::string_view key, const std::string& value) {
        if (!value.empty()) text += fmt::format(" {}={}", key, value);
    };
    word("uuid", device.uuid);
    word("parent", device.parent_uuid);
    word("pci", device.pci_address);
    add("memory", device.memory_bytes);
    add("used", device.memory_used_bytes);
    add("load", device.utilisation_percent);
    add("celsius", device.temperature_celsius);
    add("mW", device.power_milliwatts);
    add("mJ", device.energy_millijoules);
    add("numa", device.numa_node);
    add("link", device.link_domain);
    text += fmt::format(" {}", name(device.health));
    word("reason", device.health_reason);
    word("driver", device.driver_version);
    return text;
}
inline std::string shown(const std::vector<Device>& devices) {
    std::string text;
    for (const Device& device : devices) text += shown(device) + "\n";
    return text;
}

// Tests run in the module's folder.
inline std::string testdata(const std::string& name) {
    std::ifstream file("testdata/" + name);
    EXPECT_TRUE(file) << name;
    std::stringstream text;
    text << file.rdbuf();
    return text.str();
}

}  // namespace penstock::devices
