// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <expected>
#include <filesystem>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "config/yaml.h"
#include "json/json.h"

namespace penstock::config {

constexpr std::size_t kFileBytesMax = 4UL * 1024 * 1024;
Result<std::string> read_file(
    const std::filesystem::path& file, std::size_t bytes_max = kFileBytesMax
);

// Puts "file:line: " in front of each error's message, where its field or its parent has a line.
std::vector<Error> locate(
    std::vector<Error> errors, std::string_view name, const yaml::Lines& lines
);
// All errors as one text, one per line, for a person.
std::string render(const std::vector<Error>& errors);

// A YAML text into a described struct: ALL mistakes at once, unknown keys refused, each with its
// line. `name` stands in the messages. JSON_INSTANTIATE(T) stands in some .cpp.
template <class T>
std::expected<T, std::vector<Error>> parse(std::string_view text, std::string_view name) {
    Result<yaml::Document> document = yaml::Document::parse(text);
    if (!document) return std::unexpected(locate({std::move(document.error())}, name, {}));
    std::expected<T, std::vector<Error>> settings = json::decode_all<T>(document->value());
    if (!settings)
        return std::unexpected(locate(std::move(settings.error()), name, document->lines()));
    return settings;
}
template <class T>
std::expected<T, std::vector<Error>> load(const std::filesystem::path& file) {
    Result<std::string> text = read_file(file);
    if (!text) return std::unexpected(std::vector{std::move(text.error())});
    return parse<T>(*text, file.string());
}

// Folders of the XDG Base Directory Specification with "/penstock" added: the environment variable
// when it is an absolute path, else the default below $HOME. Not created here.
std::filesystem::path config_home();
std::filesystem::path state_home();
std::filesystem::path cache_home();
std::filesystem::path data_home();
// $XDG_RUNTIME_DIR/penstock, or below the state folder where there is none.
std::filesystem::path runtime_home();
// Empty when unset.
std::string environment(const std::string& name);

}  // namespace penstock::config
