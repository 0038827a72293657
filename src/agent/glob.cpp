// SPDX-License-Identifier: Apache-2.0
#include "agent/glob.h"

#include <fmt/format.h>

#include <algorithm>
#include <filesystem>

namespace penstock::agent {
namespace {

namespace fs = std::filesystem;
using Segments = std::vector<std::string_view>;

Segments split(std::string_view path) {
    Segments segments;
    while (!path.empty()) {
        const std::size_t slash = path.find('/');
        const std::string_view segment = path.substr(0, slash);
        if (!segment.empty() && segment != ".") segments.push_back(segment);
        path = slash == std::string_view::npos ? "" : path.substr(slash + 1);
    }
    return segments;
}

// Matches one character against "[a-z]" or "[!a-z]" at the front of `pattern` and removes that. A
// bracket without its end stands for itself.
bool match_set(std::string_view& pattern, char c) {
    const std::size_t close = pattern.find(']', 2);
    if (close == std::string_view::npos) {
        pattern.remove_prefix(1);
        return c == '[';
    }
    std::string_view set = pattern.substr(1, close - 1);
    pattern.remove_prefix(close + 1);
    const bool negated = set.starts_with('!') || set.starts_with('^');
    if (negated) set.remove_prefix(1);
    bool found = false;
    for (std::size_t i = 0; i < set.size(); ++i) {
        if (i + 2 < set.size() && set[i + 1] == '-') {
            found = found || (set[i] <= c && c <= set[i + 2]);
            i += 2;
        } else {
            found = found || set[i] == c;
        }
    }
    return found != negated;
}

// Linear in practice and quadratic at worst: only the newest star is ever tried again.
bool match_segment(std::string_view pattern, std::string_view name) {
    if (name.starts_with('.') && !pattern.starts_with('.')) return false;
    std::string_view star_pattern;
    std::string_view star_name;
    bool star = false;
    while (!name.empty() || !pattern.empty()) {
        if (!pattern.empty() && pattern.front() == '*') {
            pattern.remove_prefix(1);
            star = true;
            star_pattern = pattern;
            star_name = name;
            continue;
        }
        if (!pattern.empty() && !name.empty()) {
            const char c = name.front();
            std::string_view rest = pattern;
            bool matches = true;
            if (rest.front() == '[')
                matches = match_set(rest, c);
            else {
                matches = rest.front() == '?' || rest.front() == c;
                rest.remove_prefix(1);
            }
            if (matches) {
                pattern = rest;
                name.remove_prefix(1);
                continue;
            }
        }
        if (!star || star_name.empty()) return false;
        star_name.remove_prefix(1);
        pattern = star_pattern;
        name = star_name;
    }
    return true;
}

// "**" keeps one place to come back to, as
// a star does within a segment.
bool match_path(const Segments& pattern, const Segments& path) {
    std::size_t p = 0;
    std::size_t i = 0;
    std::size_t star = pattern.size() + 1;
    std::size_t star_path = 0;
    while (i < path.size() || p < pattern.size()) {
        if (p < pattern.size() && pattern[p] == "**") {
            star = ++p;
            star_path = i;
            continue;
        }
        if (p < pattern.size() && i < path.size() && match_segment(pattern[p], path[i])) {
            ++p;
            ++i;
            continue;
        }
        if (star > pattern.size() || star_path >= path.size()) return false;
        p = star;
        i = ++star_path;
    }
    return true;
}

bool is_literal(std::string_view segment) {
    return segment.find_first_of("*?[") == std::string_view::npos;
}

class Walk {
  public:
    Walk(const std::string& root, const Segments& pattern) : root_(root), pattern_(pattern) {}

    Result<GlobResult> run() {
        // Only the folder that all matches share is walked, and no link on the way to it is
        // followed.
        std::size_t literal = 0;
        std::string start;
        while (literal + 1 < pattern_.size() && is_literal(pattern_[literal])) {
            start += (start.empty() ? "" : "/") + std::string(pattern_[literal++]);
            if (fs::symlink_status(fs::path(root_) / start, error_).type() !=
                fs::file_type::directory)
                return std::move(result_);
        }
        TRY(folder(start, false));
        std::ranges::sort(result_.files);
        std::ranges::sort(result_.skipped);
        return std::move(result_);
    }

  private:
    Result<void> folder(const std::string& relative, bool all) {
        if (static_cast<std::size_t>(std::ranges::count(relative, '/')) > kGlobDepthMax)
            return fail(
                ErrorCode::resource_exhausted,
                fmt::format(
                    "'{}' lies deeper than {} folders; collect it as an archive", relative,
                    kGlobDepthMax
                )
            );
        fs::directory_iterator entries(fs::path(root_) / relative, error_);
        if (error_) return {};  // gone or unreadable: it holds nothing that can be collected
        for (const fs::directory_entry& found : entries) {
            if (++seen_ > kGlobEntriesMax)
                return fail(
                    ErrorCode::resource_exhausted,
                    fmt::format(
                        "more than {} files lie there; collect them as an archive", kGlobEntriesMax
                    )
                );
            const std::string name = found.path().filename().string();
            TRY(entry(relative.empty() ? name : relative + "/" + name, found, all));
        }
        return {};
    }

    Result<void> entry(const std::string& path, const fs::directory_entry& found, bool all) {
        const bool matches = all || match_path(pattern_, split(path));
        const fs::file_type type = found.symlink_status(error_).type();
        if (type == fs::file_type::directory) return folder(path, matches);
        if (!matches) return {};
        (type == fs::file_type::regular ? result_.files : result_.skipped).push_back(path);
        return {};
    }

    const std::string& root_;
    const Segments& pattern_;
    GlobResult result_;
    std::size_t seen_ = 0;
    std::error_code error_;
};

}  // namespace

Result<std::string> normal_pattern(std::string_view pattern) {
    std::string normal;
    for (const std::string_view segment : split(pattern)) {
        if (segment == "..")
            return fail(
                ErrorCode::invalid_argument,
                fmt::format(
                    "pattern '{}' leaves the work directory; write it without '..'", pattern
                )
            );
        normal += (normal.empty() ? "" : "/") + std::string(segment);
    }
    if (normal.empty())
        return fail(
            ErrorCode::invalid_argument, fmt::format("pattern '{}' names no file", pattern)
        );
    return normal;
}

bool glob_match(std::string_view pattern, std::string_view path) {
    return match_path(split(pattern), split(path));
}

Result<GlobResult> glob(const std::string& directory, std::string_view pattern) {
    const std::string normal = TRY(normal_pattern(pattern));
    const Segments segments = split(normal);
    return Walk(directory, segments).run();
}

}  // namespace penstock::agent
