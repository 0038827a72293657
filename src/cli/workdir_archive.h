// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <filesystem>
#include <string>
#include <vector>

#include "base/result.h"

namespace penstock::cli {

constexpr std::int64_t kArchiveBytesMax = std::int64_t{1}
                                          << 30;  // what the platform keeps of a blob
constexpr std::size_t kArchiveFilesMax = 1'000'000;

// What .penstockignore of the folder leaves out. One pattern a line; "#" begins a comment. A
// pattern with a slash is matched against the path, one without against every name on it; "dir/"
// folders only;
// * and ? stop at slashes. A later "!pattern" takes something in again, though never below a folder
// that is left out.
class IgnoreRules {
  public:
    static IgnoreRules parse(std::string_view text);
    bool ignores(std::string_view path, bool is_folder) const;

  private:
    struct Rule {
        std::string pattern;
        bool folders_only = false;
        bool whole_path = false;
        bool keep = false;
    };
    std::vector<Rule> rules_;
};

// The packed folder. The same content gives the same bytes on every machine: entries sorted by
// path, owner 0, times 0, modes reduced to 0755 and 0644.
struct WorkdirArchive {
    std::filesystem::path file;  // removed with the object
    std::string sha256;
    std::int64_t bytes = 0;
    std::size_t entries = 0;

    WorkdirArchive() = default;
    WorkdirArchive(WorkdirArchive&& other) noexcept;
    WorkdirArchive& operator=(WorkdirArchive&& other) noexcept;
    ~WorkdirArchive();
};

// Packs `folder` as a POSIX (pax) tar into a new file of the temporary folder. Files, folders and
// symbolic links are taken; sockets and devices are errors. Above kArchiveBytesMax it names the
// largest file and .penstockignore as the remedy.
Result<WorkdirArchive> pack_workdir(const std::filesystem::path& folder);

}  // namespace penstock::cli
