// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <filesystem>
#include <functional>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "base/result.h"
#include "cli/arguments.h"
#include "cli/config_file.h"

// Where the command line talks to, and as whom. Precedence: flag > environment > project file >
// user file > system file.
namespace penstock::cli {

// What the process is told from outside; a value, so that tests can make one.
struct Surroundings {
    std::function<std::string(const std::string&)> variable;  // empty when unset
    std::filesystem::path config_home;                        // …/penstock
    std::filesystem::path system_file;                        // /etc/penstock/config.yaml
    std::filesystem::path working_folder;
};
Surroundings process_surroundings();

// A value and where it came from, for `config list`.
struct Setting {
    std::string value;
    std::string source;  // "--endpoint", "PENSTOCK_ENDPOINT", a file, "default"; empty: not set
    bool is_set() const { return !source.empty(); }
};

struct Settings {
    Setting context;
    Setting endpoint;
    Setting key;      // never printed
    Setting project;  // of keys that are created
    Setting output;
    Setting language;
    Setting ca_file;
    bool no_input = false;
    std::vector<ContextEntry> contexts;  // of the user's file, then the system's
};

// Reads all layers; a mistake in a file that exists is an error. The project file cannot name an
// endpoint: a folder from elsewhere must not send anybody's key anywhere. For the same reason the
// key of a context is used only for that context's endpoint.
Result<Settings> resolve_settings(const Arguments& arguments, const Surroundings& surroundings);

// The remedy in the error of a command that needs a platform when none is configured.
Result<void> need_endpoint(const Settings& settings);

}  // namespace penstock::cli
