// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <boost/describe/class.hpp>
#include <filesystem>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "base/result.h"

// The files of the command line's configuration.
namespace penstock::cli {

struct ContextEntry {
    static constexpr bool kJsonDefaults = true;
    std::string name;
    std::string endpoint;
    std::optional<std::string> project;
    std::optional<std::string>
        credential;  // its name in the credentials file; absent: the context's name
    std::optional<std::string> ca_file;
    bool operator==(const ContextEntry&) const = default;
};
BOOST_DESCRIBE_STRUCT(ContextEntry, (), (name, endpoint, project, credential, ca_file))

// config.yaml of the user and of the system.
struct ConfigFile {
    static constexpr bool kJsonDefaults = true;
    std::optional<std::string> current_context;
    std::vector<ContextEntry> contexts;
    std::optional<std::string> output;
    std::optional<std::string> lang;
    std::optional<bool> no_input;
    bool operator==(const ConfigFile&) const = default;
};
BOOST_DESCRIBE_STRUCT(ConfigFile, (), (current_context, contexts, output, lang, no_input))

// .penstock.yaml of a project folder.
struct ProjectFile {
    static constexpr bool kJsonDefaults = true;
    std::optional<std::string> context;
    std::optional<std::string> project;
    std::optional<std::string> output;
    std::optional<std::string> lang;
    bool operator==(const ProjectFile&) const = default;
};
BOOST_DESCRIBE_STRUCT(ProjectFile, (), (context, project, output, lang))

// credentials, mode 0600.
struct CredentialsFile {
    static constexpr bool kJsonDefaults = true;
    std::map<std::string, std::string> keys;  // credential → sk-…
    bool operator==(const CredentialsFile&) const = default;
};
BOOST_DESCRIBE_STRUCT(CredentialsFile, (), (keys))

// An absent file is an empty one. Mistakes come all at once, with their lines.
Result<ConfigFile> load_config(const std::filesystem::path& file);
Result<ProjectFile> load_project(const std::filesystem::path& file);
// Refuses a file that others can read or write, or that belongs to someone else.
Result<CredentialsFile> load_credentials(const std::filesystem::path& file);
Result<void> check_credentials_mode(const std::filesystem::path& file);

// Both write a new file beside the old one and rename it: a reader sees the old or the new one
// whole.
Result<void> save_config(const std::filesystem::path& file, const ConfigFile& config);
Result<void> save_credentials(
    const std::filesystem::path& file, const CredentialsFile& credentials
);

// Adds or replaces a context of the user's files and its key, and makes it the current one. An
// empty key leaves the credentials alone.
Result<void> write_context(
    const std::filesystem::path& config_home, const ContextEntry& context, const std::string& key
);
// The same in the user's own folder: for `penstock up`.
Result<void> write_context(
    const std::string& name, const std::string& endpoint, const std::string& key
);

}  // namespace penstock::cli
