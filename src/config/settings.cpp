// SPDX-License-Identifier: Apache-2.0
#include "config/settings.h"

#include <fmt/format.h>

#include <cerrno>
#include <cstdlib>
#include <cstring>
#include <fstream>
#include <optional>

namespace penstock::config {
namespace {

// The line of a field, or of the nearest thing around it that has one.
std::optional<std::size_t> line_of(std::string_view field, const yaml::Lines& lines) {
    while (!field.empty()) {
        if (const auto found = lines.find(field); found != lines.end()) return found->second;
        const std::size_t end = field.find_last_of(".[");
        field = end == std::string_view::npos ? std::string_view() : field.substr(0, end);
    }
    return std::nullopt;
}

std::filesystem::path home(const char* variable, const char* below_home) {
    const std::filesystem::path given = environment(variable);
    // The specification says to ignore relative ones.
    if (given.is_absolute()) return given / "penstock";
    const std::filesystem::path user = environment("HOME");
    return (user.empty() ? std::filesystem::path("/") : user) / below_home / "penstock";
}

}  // namespace

Result<std::string> read_file(const std::filesystem::path& file, std::size_t bytes_max) {
    errno = 0;
    std::error_code error;
    if (std::filesystem::is_directory(file, error))
        return fail(
            ErrorCode::invalid_argument, fmt::format("'{}' is a folder, not a file", file.string())
        );
    std::ifstream in(file, std::ios::binary);
    if (!in) {
        const ErrorCode code =
            errno == ENOENT ? ErrorCode::not_found : ErrorCode::permission_denied;
        return fail(
            code, fmt::format("'{}' cannot be read: {}", file.string(), std::strerror(errno))
        );
    }
    std::string text(bytes_max + 1, '\0');
    in.read(text.data(), static_cast<std::streamsize>(text.size()));
    text.resize(static_cast<std::size_t>(in.gcount()));
    if (in.bad())
        return fail(
            ErrorCode::unavailable,
            fmt::format("'{}' cannot be read: {}", file.string(), std::strerror(errno))
        );
    if (text.size() > bytes_max)
        return fail(
            ErrorCode::resource_exhausted,
            fmt::format("'{}' is larger than {} bytes", file.string(), bytes_max)
        );
    text.shrink_to_fit();  // a key of some bytes is kept for as long as the process runs
    return text;
}

std::vector<Error> locate(
    std::vector<Error> errors, std::string_view name, const yaml::Lines& lines
) {
    for (Error& error : errors) {
        const auto line = line_of(error.field, lines);
        const std::string where = line ? fmt::format("{}:{}", name, *line) : std::string(name);
        error.message = error.field.empty()
                            ? fmt::format("{}: {}", where, error.message)
                            : fmt::format("{}: {}: {}", where, error.field, error.message);
        // The message names it now, and what prints an error would name it twice.
        error.field.clear();
    }
    return errors;
}

std::string render(const std::vector<Error>& errors) {
    std::string text;
    for (const Error& error : errors) {
        if (!text.empty()) text += '\n';
        text += error.field.empty() ? error.message : error.field + ": " + error.message;
    }
    return text;
}

std::string environment(const std::string& name) {
    const char* const value =
        std::getenv(name.c_str());  // NOLINT(concurrency-mt-unsafe): read before threads
    return value == nullptr ? std::string() : std::string(value);
}

std::filesystem::path config_home() { return home("XDG_CONFIG_HOME", ".config"); }
std::filesystem::path state_home() { return home("XDG_STATE_HOME", ".local/state"); }
std::filesystem::path cache_home() { return home("XDG_CACHE_HOME", ".cache"); }
std::filesystem::path data_home() { return home("XDG_DATA_HOME", ".local/share"); }
std::filesystem::path runtime_home() {
    const std::filesystem::path given = environment("XDG_RUNTIME_DIR");
    return given.is_absolute() ? given / "penstock" : state_home() / "run";
}

}  // namespace penstock::config
