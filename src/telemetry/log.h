// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <concepts>
#include <cstdint>
#include <filesystem>
#include <initializer_list>
#include <memory>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

#include "base/result.h"

namespace penstock::telemetry {

enum class Level { debug, info, warning, error };
Result<Level> parse_level(std::string_view text);

// A key and its value for a log line.
struct Field {
    using Value = std::variant<std::string_view, std::int64_t, double, bool>;
    std::string_view key;
    Value value;

    Field(std::string_view k, std::string_view v) : key(k), value(v) {}
    Field(std::string_view k, const char* v) : key(k), value(std::string_view(v)) {}
    Field(std::string_view k, const std::string& v) : key(k), value(std::string_view(v)) {}
    Field(std::string_view k, bool v) : key(k), value(v) {}
    Field(std::string_view k, std::floating_point auto v) : key(k), value(static_cast<double>(v)) {}
    Field(std::string_view k, std::integral auto v) : key(k), value(static_cast<std::int64_t>(v)) {}
};

struct LogOptions {
    Level level = Level::info;
    std::filesystem::path file = {};  // empty: standard error
};

// Writes one JSON object per line: time, level, component, message, then the fields. Secrets are
// taken out: the value of a field that is named like one, and whatever looks like an API key or a
// bearer token in any text. Cheap to copy; safe from any thread. Default constructed it is silent.
//     log.info("task started", {{"task", to_string(id)}, {"attempt", 2}});
class Logger {
  public:
    using Fields = std::initializer_list<Field>;

    Logger() = default;
    static Result<Logger> open(const LogOptions& options);

    // The same log under another component's name.
    Logger component(std::string name) const;
    // With a field that every line carries.
    Logger with(std::string_view key, std::string_view value) const;

    void debug(std::string_view message, Fields fields = {}) const {
        write(Level::debug, message, fields);
    }
    void info(std::string_view message, Fields fields = {}) const {
        write(Level::info, message, fields);
    }
    void warning(std::string_view message, Fields fields = {}) const {
        write(Level::warning, message, fields);
    }
    void error(std::string_view message, Fields fields = {}) const {
        write(Level::error, message, fields);
    }
    void error(std::string_view message, const Error& cause, Fields fields = {}) const;
    bool enabled(Level level) const;
    void set_level(Level level);  // for all copies

    void write(Level level, std::string_view message, Fields fields) const;

  private:
    struct Sink;
    std::shared_ptr<Sink> sink_;  // shared by all copies and threads
    std::string component_;
    std::string bound_;  // rendered fields of with()
};

// "sk-abcd…" and "Bearer …" within a text become "[redacted]".
std::string redact(std::string_view text);
// password, token, api_key, authorization, …
bool names_secret(std::string_view key);

}  // namespace penstock::telemetry
