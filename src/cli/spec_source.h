// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <filesystem>
#include <string>
#include <vector>

#include "base/result.h"
#include "cli/arguments.h"
#include "cli/command.h"
#include "json/json.h"
#include "model/task_spec.h"

// Task specs as they come to the command line: files, standard input, flags.
namespace penstock::cli {

constexpr std::size_t kSpecFilesMax = 1000;

struct Draft {
    std::string source;            // "task.yaml", "-", "command line": stands in front of mistakes
    std::filesystem::path folder;  // against which `workdir` is read
    TaskSpec spec;
};

// One draft per -f FILE ("-" is `standard_input`), or one made of the flags alone. Flags are laid
// over every file. All mistakes of all files come at once, one per line: "file: field: cause;
// remedy".
Result<std::vector<Draft>> read_drafts(
    const Arguments& arguments, const std::filesystem::path& working_folder,
    std::istream& standard_input
);

// A spec file alone, without flags; for `spec check`.
std::expected<TaskSpec, std::vector<Error>> read_spec_text(
    const std::string& text, const std::string& name
);

// Flags that state parts of a spec: --gpus, --cpus, --name …
const std::vector<Flag>& spec_flags();

// The words of a command as one shell line; a single word is a shell line already.
std::string shell_line(const std::vector<std::string>& words);

}  // namespace penstock::cli
