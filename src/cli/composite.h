// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <functional>
#include <optional>

#include "cli/invocation.h"
#include "model/composite.h"

// Composites at the command line: `penstock run -f` takes them like tasks.
namespace penstock::cli {

struct CompositeDraft {
    std::filesystem::path folder;  // against which each `workdir` is read
    CompositeSpec spec;
};

// The composite that the command names: its only file, when that is one. Every mistake at once.
// Standard input is left to read_drafts(), which takes tasks alone.
Result<std::optional<CompositeDraft>> read_composite(const Invocation& invocation);

// What is wrong with a composite; nothing where the text is none.
std::optional<std::vector<Error>> composite_mistakes(
    const std::string& text, const std::string& name
);

// Follows one task to its end and tells the exit code.
using Follow = std::function<io::Task<Result<int>>(Invocation*, Task)>;

// Packs, plans, asks, uploads, creates; then follows one part after the other where `follow` is
// given.
io::Task<Result<int>> run_composite(Invocation* invocation, CompositeDraft draft, Follow follow);
// Shows where the parts would go; nothing is created.
io::Task<Result<int>> plan_composite(Invocation* invocation, CompositeDraft draft);

}  // namespace penstock::cli
